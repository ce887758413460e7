/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hf/base/assert.h"
#include "hf/base/time.h"

#define SAY_ROOMS 8
#define SAY_CAP 1024

void hf_format(char *out, size_t cap, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  (void)vsnprintf(out, cap, format, args);
  va_end(args);
}

const char *hf_say(const char *format, ...)
{
  static char rooms[SAY_ROOMS][SAY_CAP];
  static unsigned turn;
  char *room = rooms[turn++ % SAY_ROOMS];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(room, SAY_CAP, format, args);
  va_end(args);
  return room;
}

const char *hf_tone(FILE *file, enum hf_tone tone)
{
  static const char *const sequences[] = {"\033[0m", "\033[1m", "\033[32m", "\033[33m", "\033[31m", "\033[2m"};
  const char *no_colour = getenv("NO_COLOR");
  const char *term = getenv("TERM");
  bool wanted = (no_colour == NULL || no_colour[0] == 0) && term != NULL && strcmp(term, "dumb") != 0;
  return wanted && isatty(fileno(file)) ? sequences[tone] : "";
}

/* Bytes of the control character that starts here; 0: none does. C1 controls (0xc2 0x80..0x9f) move cursors too, and
 * what overrides the direction of writing (U+202A to U+202E, U+2066 to U+2069) shows another name than there is. */
static size_t control_at(const unsigned char *at)
{
  if (at[0] < 0x20 || at[0] == 0x7f) {
    return 1;
  }
  if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
    return 2;
  }
  bool turns = at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
                                 (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
  return turns ? 3 : 0;
}

void hf_print_clean(FILE *file, const char *text)
{
  for (const unsigned char *at = (const unsigned char *)(text == NULL ? "-" : text); *at != 0; at++) {
    size_t control = control_at(at);
    (void)fputc(control == 0 ? *at : '?', file);
    at += control == 0 ? 0 : control - 1;
  }
}

static void print_line(const char *label, enum hf_tone tone, const char *text)
{
  fprintf(stderr, "%s%s%s", hf_tone(stderr, tone), label, hf_tone(stderr, HF_TONE_PLAIN));
  hf_print_clean(stderr, text);
  fputc('\n', stderr);
}

void hf_complain(const char *where, const char *todo, const char *what, ...)
{
  char sentence[SAY_CAP];
  va_list args;
  va_start(args, what);
  (void)vsnprintf(sentence, sizeof sentence, what, args);
  va_end(args);
  fflush(stdout);
  print_line("holdfast: ", HF_TONE_BAD, sentence);
  if (where != NULL) {
    print_line("   where: ", HF_TONE_DIM, where);
  }
  if (todo != NULL) {
    print_line("   to do: ", HF_TONE_DIM, todo);
  }
}

void hf_note(const char *format, ...)
{
  char sentence[SAY_CAP];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(sentence, sizeof sentence, format, args);
  va_end(args);
  fflush(stdout);
  print_line("", HF_TONE_PLAIN, sentence);
}

/* ---- tables ---- */

struct cell {
  char *text;
  size_t width;
  enum hf_tone tone;
};

struct hf_table {
  struct cell *cells;
  size_t count;
  size_t cap;
  size_t columns;
};

/* Characters on the screen, as far as one column each goes: code points. */
static size_t width_of(const char *text)
{
  size_t width = 0;
  for (; *text != 0; text++) {
    width += ((unsigned char)*text & 0xc0) != 0x80;
  }
  return width;
}

struct hf_table *hf_table_new(const char *const *headings, size_t columns)
{
  struct hf_table *table = calloc(1, sizeof *table);
  HF_ASSERT(table != NULL && columns > 0);
  table->columns = columns;
  for (size_t i = 0; i < columns; i++) {
    hf_table_put_tone(table, headings[i][0] == 0 ? " " : headings[i], HF_TONE_STRONG);
  }
  return table;
}

void hf_table_put_tone(struct hf_table *table, const char *text, enum hf_tone tone)
{
  if (table->count == table->cap) {
    table->cap = table->cap == 0 ? 64 : table->cap * 2;
    table->cells = realloc(table->cells, table->cap * sizeof *table->cells);
    HF_ASSERT(table->cells != NULL);
  }
  struct cell *cell = &table->cells[table->count++];
  cell->text = strdup(text == NULL || text[0] == 0 ? "-" : text);
  HF_ASSERT(cell->text != NULL);
  cell->width = width_of(cell->text);
  cell->tone = tone;
}

void hf_table_put(struct hf_table *table, const char *text) { hf_table_put_tone(table, text, HF_TONE_PLAIN); }

static bool right_aligned(const struct hf_table *table, size_t column) { return table->cells[column].text[0] == '>'; }

static void print_cell(const struct hf_table *table, FILE *file, size_t index, size_t width)
{
  const struct cell *cell = &table->cells[index];
  size_t column = index % table->columns;
  bool heading = index < table->columns;
  bool right = right_aligned(table, column);
  const char *text = heading && right ? cell->text + 1 : cell->text;
  size_t own = heading && right ? cell->width - 1 : cell->width;
  int pad = (int)(width - own);
  bool last = column + 1 == table->columns;
  fprintf(file, "%*s%s", right ? pad : 0, "", hf_tone(file, cell->tone));
  hf_print_clean(file, text);
  fprintf(file, "%s%*s", cell->tone == HF_TONE_PLAIN ? "" : hf_tone(file, HF_TONE_PLAIN), right || last ? 0 : pad, "");
  fputs(last ? "\n" : "  ", file);
}

void hf_table_print(const struct hf_table *table, FILE *file)
{
  if (table->count <= table->columns) {
    return;
  }
  HF_ASSERT(table->count % table->columns == 0);
  size_t *widths = calloc(table->columns, sizeof *widths);
  HF_ASSERT(widths != NULL);
  for (size_t i = 0; i < table->count; i++) {
    size_t column = i % table->columns;
    size_t width = table->cells[i].width - (i < table->columns && right_aligned(table, column));
    widths[column] = width > widths[column] ? width : widths[column];
  }
  for (size_t i = 0; i < table->count; i++) {
    print_cell(table, file, i, widths[i % table->columns]);
  }
  free(widths);
}

void hf_table_free(struct hf_table *table)
{
  if (table == NULL) {
    return;
  }
  for (size_t i = 0; i < table->count; i++) {
    free(table->cells[i].text);
  }
  free(table->cells);
  free(table);
}

void hf_field_print(const char *name, int width, const char *value)
{
  printf("%s%s%s%*s  ", hf_tone(stdout, HF_TONE_DIM), name, hf_tone(stdout, HF_TONE_PLAIN),
         width > (int)strlen(name) ? width - (int)strlen(name) : 0, "");
  hf_print_clean(stdout, value == NULL || value[0] == 0 ? "-" : value);
  putchar('\n');
}

/* ---- words for values ---- */

static const char *with_commas(unsigned long long number)
{
  char digits[24];
  char out[32];
  size_t len = 0;
  hf_format(digits, sizeof digits, "%llu", number);
  size_t count = strlen(digits);
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && (count - i) % 3 == 0) {
      out[len++] = ',';
    }
    out[len++] = digits[i];
  }
  out[len] = 0;
  return hf_say("%s", out);
}

const char *hf_say_size(unsigned long long bytes)
{
  static const char *const units[] = {"KB", "MB", "GB", "TB"};
  if (bytes < 1000) {
    return hf_say("%llu bytes", bytes);
  }
  double value = (double)bytes / 1000;
  size_t unit = 0;
  while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
    value /= 1000;
    unit++;
  }
  return hf_say("%.1f %s (%s bytes)", value, units[unit], with_commas(bytes));
}

const char *hf_say_time(long long seconds)
{
  uint8_t room[HF_TIME_TEXT_LEN + 1];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  if (seconds == 0) {
    return "never";
  }
  hf_time_put(&text, seconds);
  return hf_say("%.10s %.5s UTC", (const char *)room, (const char *)room + 11);
}
