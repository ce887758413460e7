/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/base/time.h"

/* Days since 1970-01-01 of a proleptic Gregorian date, counted in years that start in March so that the leap day comes
 * last (the arithmetic of Howard Hinnant's chrono paper, written anew). In 32 bits: a microcontroller divides those in
 * hardware. */
static int32_t days_from_date(int32_t year, int month, int day)
{
  int32_t y = month <= 2 ? year - 1 : year;
  int32_t era = y / 400; /* years here are never negative */
  int32_t year_of_era = y - era * 400;
  int32_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
  int64_t z = days + 719468;
  int64_t era = z / 146097;
  int64_t day_of_era = z - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t m = (5 * day_of_year + 2) / 153;
  *day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
  *month = (int)(m < 10 ? m + 3 : m - 9);
  *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static int month_days(int year, int month)
{
  static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

/* `len` digits at `at`, or -1. */
static int digits(const uint8_t *at, size_t len)
{
  int value = 0;
  for (size_t i = 0; i < len; i++) {
    if (at[i] < '0' || at[i] > '9') {
      return -1;
    }
    value = value * 10 + (at[i] - '0');
  }
  return value;
}

enum hf_err hf_time_parse(int64_t *seconds, struct hf_bytes text)
{
  if (text.len != HF_TIME_TEXT_LEN) {
    return HF_E_INPUT;
  }
  const uint8_t *t = text.at;
  int year = digits(t, 4);
  int month = digits(t + 5, 2);
  int day = digits(t + 8, 2);
  int hour = digits(t + 11, 2);
  int minute = digits(t + 14, 2);
  int second = digits(t + 17, 2);
  bool shape = t[4] == '-' && t[7] == '-' && t[10] == 'T' && t[13] == ':' && t[16] == ':' && t[19] == 'Z';
  if (!shape || year < 1970 || month < 1 || month > 12 || day < 1 || day > month_days(year, month)) {
    return HF_E_INPUT;
  }
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
    return HF_E_INPUT;
  }
  int within_day = (hour * 60 + minute) * 60 + second;
  *seconds = (int64_t)days_from_date(year, month, day) * 86400 + within_day;
  return HF_OK;
}

static void put_digits(struct hf_buf *buf, int value, int len)
{
  uint8_t out[4];
  for (int i = len - 1; i >= 0; i--) {
    out[i] = (uint8_t)('0' + value % 10);
    value /= 10;
  }
  hf_buf_put(buf, hf_bytes_init(out, (size_t)len));
}

void hf_time_put(struct hf_buf *buf, int64_t seconds)
{
  int64_t clamped = seconds < 0 ? 0 : seconds > HF_TIME_MAX ? HF_TIME_MAX : seconds;
  int year;
  int month;
  int day;
  int rest = (int)(clamped % 86400);
  date_from_days(clamped / 86400, &year, &month, &day);
  put_digits(buf, year, 4);
  hf_buf_put_u8(buf, '-');
  put_digits(buf, month, 2);
  hf_buf_put_u8(buf, '-');
  put_digits(buf, day, 2);
  hf_buf_put_u8(buf, 'T');
  put_digits(buf, rest / 3600, 2);
  hf_buf_put_u8(buf, ':');
  put_digits(buf, rest / 60 % 60, 2);
  hf_buf_put_u8(buf, ':');
  put_digits(buf, rest % 60, 2);
  hf_buf_put_u8(buf, 'Z');
}
