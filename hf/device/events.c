/* SPDX-License-Identifier: Apache-2.0
 * A ring of store keys, one event each: number n lives under key HF_STORE_EVENT_FIRST + n % HF_EVENTS_MAX.
 */
#include "hf/device/events.h"

enum { HEAD_LEN = 4 + 2 + 8 + 2, RECORD_MAX = HEAD_LEN + HF_CHECKIN_SUBJECT_MAX };

static uint16_t key_of(uint32_t number) { return (uint16_t)(HF_STORE_EVENT_FIRST + number % HF_EVENTS_MAX); }

/* HF_E_NOT_FOUND also for a record that is not an event. */
static enum hf_err event_read(struct hf_checkin_event *event, const struct hf_store *store, uint16_t key,
                              struct hf_buf *text)
{
  size_t start = text->len;
  enum hf_err err = hf_store_get(text, store, key);
  if (err != HF_OK) {
    return err;
  }
  struct hf_cursor in = hf_cursor_init(hf_bytes_init(text->at + start, text->len - start));
  *event = (struct hf_checkin_event){.number = hf_cursor_be32(&in)};
  event->kind = hf_cursor_be16(&in);
  event->time = (int64_t)hf_cursor_be64(&in);
  event->rule = hf_cursor_be16(&in);
  event->subject = in.rest;
  return in.failed ? HF_E_NOT_FOUND : HF_OK;
}

void hf_events_open(struct hf_events *events, struct hf_store *store)
{
  *events = (struct hf_events){.store = store};
  uint8_t record[RECORD_MAX];
  struct hf_buf text = hf_buf_init(record, sizeof record);
  if (hf_store_get(&text, store, HF_STORE_EVENTS) == HF_OK) {
    struct hf_cursor in = hf_cursor_init(hf_buf_bytes(&text));
    events->acked = hf_cursor_be32(&in);
  }
  events->last = events->acked;
  for (uint16_t i = 0; i < HF_EVENTS_MAX; i++) {
    struct hf_checkin_event event;
    text = hf_buf_init(record, sizeof record);
    enum hf_err err = event_read(&event, store, (uint16_t)(HF_STORE_EVENT_FIRST + i), &text);
    if (err == HF_OK && event.number > events->last) {
      events->last = event.number;
    }
  }
}

enum hf_err hf_events_put(struct hf_events *events, const struct hf_checkin_event *event)
{
  uint8_t record[RECORD_MAX];
  struct hf_buf out = hf_buf_init(record, sizeof record);
  struct hf_bytes subject = event->subject;
  subject.len = subject.len < HF_CHECKIN_SUBJECT_MAX ? subject.len : HF_CHECKIN_SUBJECT_MAX;
  uint32_t number = events->last + 1;
  hf_buf_put_be32(&out, number);
  hf_buf_put_be16(&out, event->kind);
  hf_buf_put_be64(&out, (uint64_t)event->time);
  hf_buf_put_be16(&out, event->rule);
  hf_buf_put(&out, subject);
  enum hf_err err = hf_store_put(events->store, key_of(number), hf_buf_bytes(&out));
  if (err == HF_OK) {
    events->last = number;
  }
  return err;
}

/* Number of the oldest event that is still held and not acknowledged. */
static uint32_t oldest(const struct hf_events *events)
{
  uint32_t held = events->last > HF_EVENTS_MAX ? events->last - HF_EVENTS_MAX + 1 : 1;
  return held > events->acked ? held : events->acked + 1;
}

enum hf_err hf_events_get(struct hf_checkin_event *out, uint8_t *count, const struct hf_events *events,
                          struct hf_buf *text)
{
  *count = 0;
  for (uint32_t n = oldest(events); n <= events->last && *count < HF_CHECKIN_EVENTS_MAX; n++) {
    enum hf_err err = event_read(&out[*count], events->store, key_of(n), text);
    if (err == HF_E_SPACE) {
      return err;
    }
    /* One that rotted is a gap in the numbers, which the server shows. */
    if (err == HF_OK && out[*count].number == n) {
      ++*count;
    }
  }
  return HF_OK;
}

enum hf_err hf_events_ack(struct hf_events *events, uint32_t number)
{
  if (number > events->last) {
    return HF_E_INPUT;
  }
  if (number <= events->acked) {
    return HF_OK;
  }
  uint8_t record[4];
  struct hf_buf out = hf_buf_init(record, sizeof record);
  hf_buf_put_be32(&out, number);
  enum hf_err err = hf_store_put(events->store, HF_STORE_EVENTS, hf_buf_bytes(&out));
  if (err == HF_OK) {
    events->acked = number;
  }
  return err;
}

uint32_t hf_events_lost(const struct hf_events *events)
{
  return events->last > events->acked ? oldest(events) - events->acked - 1 : 0;
}
