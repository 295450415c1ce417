// A stand-in for `codex app-server` that costs next to nothing: it answers the bridge's calls, and prints token
// deltas in the form and order of codex-cli 0.163.0 as fast as its reader takes them, or paced.
//
// What a turn does is said in the last user text, after the word `bench`:
//   tokens=N     deltas of the answer, `t0 `, `t1 `, …
//   gap=US       microseconds between two bursts (default 0: no pause)
//   burst=N      deltas at once (default 1); they leave in one write
//   together=N   waits until N turns wait, and a third of a second longer
//   hold         one delta, and then nothing until it is interrupted
//
// One thread, no allocation per token. Standard C and POSIX only.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { max_turns = 16384, id_bytes = 36, flush_bytes = 60 * 1024, buffer_bytes = 128 * 1024, grace_us = 300000 };

struct turn {
  char thread[id_bytes + 1];
  char head[320];  // Everything of a delta's line before the text.
  size_t head_bytes;
  unsigned long number;
  long sent, tokens, burst, together;
  int64_t gap, due;
  bool is_running, is_waiting, is_held;
};

static struct turn turns[max_turns];
static int turn_count;
static unsigned long next_id = 1;
static char output[buffer_bytes];
static size_t output_bytes;
static bool tells_status = true;

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void put_raw(const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(STDOUT_FILENO, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) exit(0);
    bytes += written;
    count -= (size_t)written;
  }
}

static void flush(void) {
  put_raw(output, output_bytes);
  output_bytes = 0;
}

static void put(const char *bytes, size_t count) {
  if (output_bytes + count > sizeof output) flush();
  if (count > sizeof output) return put_raw(bytes, count);
  memcpy(output + output_bytes, bytes, count);
  output_bytes += count;
}

__attribute__((format(printf, 1, 2))) static void print(const char *format, ...) {
  char line[4096];
  va_list arguments;
  va_start(arguments, format);
  int count = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (count > 0) put(line, (size_t)count);
}

static size_t append_number(char *to, long value) {
  char digits[20];
  size_t count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  for (size_t i = 0; i < count; i++) to[i] = digits[count - 1 - i];
  return count;
}

// What follows a delta's text, with the milliseconds at which its burst began, as in the real one's lines.
static char tail[64];
static size_t tail_bytes;

static void take_time(void) {
  static long long written_ms;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  long long now_ms = (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
  if (now_ms == written_ms) return;
  written_ms = now_ms;
  tail_bytes = (size_t)snprintf(tail, sizeof tail, " \"},\"emittedAtMs\":%013lld}\n", now_ms);
}

static void put_delta(struct turn *turn) {
  char line[512];
  memcpy(line, turn->head, turn->head_bytes);
  size_t count = turn->head_bytes + append_number(line + turn->head_bytes, turn->sent++);
  memcpy(line + count, tail, tail_bytes);
  put(line, count + tail_bytes);
}

static void ids(const struct turn *turn, char *turn_id, char *item) {
  sprintf(turn_id, "01a204cd-0000-7000-8000-%012lx", turn->number);
  sprintf(item, "msg_0000000000000000000000000000%016lx", turn->number);
}

static void end_turn(struct turn *turn, const char *status) {
  char turn_id[40], item[56];
  ids(turn, turn_id, item);
  print("{\"method\":\"item/completed\",\"params\":{\"threadId\":\"%s\",\"turnId\":\"%s\",\"item\":{\"type\":"
        "\"agentMessage\",\"id\":\"%s\",\"phase\":null,\"text\":\"", turn->thread, turn_id, item);
  for (long i = 0; i < turn->sent; i++) {
    char token[24] = "t";
    size_t count = 1 + append_number(token + 1, i);
    token[count++] = ' ';
    put(token, count);
  }
  print("\"}}}\n");
  const char *usage = "\"inputTokens\":10,\"cachedInputTokens\":0,\"outputTokens\":5,\"reasoningOutputTokens\":0,"
                      "\"totalTokens\":15";
  print("{\"method\":\"thread/tokenUsage/updated\",\"params\":{\"threadId\":\"%s\",\"turnId\":\"%s\",\"tokenUsage\":"
        "{\"total\":{%s},\"last\":{%s}}}}\n", turn->thread, turn_id, usage, usage);
  if (tells_status)
    print("{\"method\":\"thread/status/changed\",\"params\":{\"threadId\":\"%s\",\"status\":{\"type\":\"idle\"}}}\n",
          turn->thread);
  print("{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"%s\",\"turn\":{\"id\":\"%s\",\"items\":[],"
        "\"status\":\"%s\",\"error\":null}}}\n", turn->thread, turn_id, status);
  turn->is_running = false;
}

static long directive(const char *text, const char *name, long otherwise) {
  const char *end = text + strcspn(text, "\"\n\\");
  const char *found = strstr(text, name);
  return found && found < end ? atol(found + strlen(name)) : otherwise;
}

static struct turn *free_turn(void) {
  for (int i = 0; i < turn_count; i++)
    if (!turns[i].is_running) return &turns[i];
  if (turn_count == max_turns) exit(2);
  return &turns[turn_count++];
}

static void copy_thread(const char *line, char *to) {
  const char *found = strstr(line, "\"threadId\":\"");
  snprintf(to, id_bytes + 1, "%.*s", id_bytes, found ? found + 12 : "");
}

static void release_waiting(void) {
  long waiting = 0, wanted = 0;
  for (int i = 0; i < turn_count; i++) {
    if (!turns[i].is_running || !turns[i].is_waiting) continue;
    waiting++;
    if (turns[i].together > wanted) wanted = turns[i].together;
  }
  if (waiting == 0 || waiting < wanted) return;
  int64_t start = now_us() + grace_us;
  for (int i = 0; i < turn_count; i++) {
    if (turns[i].is_waiting) turns[i].due = start;
    turns[i].is_waiting = false;
  }
}

static void start_turn(const char *line, size_t bytes, long id) {
  struct turn *turn = free_turn();
  memset(turn, 0, sizeof *turn);
  turn->number = next_id++;
  char turn_id[40], item[56];
  ids(turn, turn_id, item);
  copy_thread(line, turn->thread);
  const char *text = memmem(line, bytes, "bench ", 6);
  if (!text) text = "bench ";
  turn->tokens = directive(text, "tokens=", 5);
  turn->gap = directive(text, "gap=", 0);
  turn->burst = directive(text, "burst=", 1);
  turn->together = directive(text, "together=", 0);
  turn->is_held = directive(text, "hold", -1) >= 0;
  turn->is_running = true;
  turn->is_waiting = turn->together > 0;
  turn->head_bytes = (size_t)sprintf(
    turn->head,
    "{\"method\":\"item/agentMessage/delta\",\"params\":{\"threadId\":\"%s\",\"turnId\":\"%s\",\"itemId\":\"%s\","
    "\"delta\":\"t", turn->thread, turn_id, item);
  print("{\"id\":%ld,\"result\":{\"turn\":{\"id\":\"%s\",\"items\":[],\"status\":\"inProgress\",\"error\":null}}}\n",
        id, turn_id);
  print("{\"method\":\"item/started\",\"params\":{\"threadId\":\"%s\",\"turnId\":\"%s\",\"item\":{\"type\":"
        "\"agentMessage\",\"id\":\"%s\",\"phase\":null,\"text\":\"\"}}}\n", turn->thread, turn_id, item);
  if (turn->is_held) {
    take_time();
    put_delta(turn);
  }
  if (turn->is_waiting) release_waiting();
}

static void interrupt(const char *line, long id) {
  char thread[id_bytes + 1];
  copy_thread(line, thread);
  print("{\"id\":%ld,\"result\":{}}\n", id);
  for (int i = 0; i < turn_count; i++)
    if (turns[i].is_running && !strcmp(turns[i].thread, thread)) end_turn(&turns[i], "interrupted");
}

static bool is_method(const char *line, const char *name) {
  const char *found = strstr(line, "\"method\":\"");
  return found && !strncmp(found + 10, name, strlen(name)) && found[10 + strlen(name)] == '"';
}

static void received(const char *line, size_t bytes) {
  const char *found = strstr(line, "\"id\":");
  if (!found || is_method(line, "initialized")) return;
  long id = atol(found + 5);
  if (is_method(line, "turn/start")) return start_turn(line, bytes, id);
  if (is_method(line, "turn/interrupt")) return interrupt(line, id);
  const char *result = "{}";
  char thread[200];
  if (is_method(line, "initialize")) {
    tells_status = !strstr(line, "thread/status/changed");
    result = "{\"userAgent\":\"bench/0.163.0 (Linux; x86_64) unknown (bench; 0)\",\"codexHome\":\"/\","
             "\"platformFamily\":\"unix\",\"platformOs\":\"linux\"}";
  } else if (is_method(line, "account/read")) {
    result = "{\"account\":{\"type\":\"apiKey\"},\"requiresOpenaiAuth\":true}";
  } else if (is_method(line, "model/list")) {
    result = "{\"data\":[{\"id\":\"gpt-5.5\",\"model\":\"gpt-5.5\",\"displayName\":\"GPT-5.5\",\"hidden\":false,"
             "\"isDefault\":true,\"defaultReasoningEffort\":\"medium\",\"supportedReasoningEfforts\":["
             "{\"reasoningEffort\":\"low\"},{\"reasoningEffort\":\"medium\"},{\"reasoningEffort\":\"high\"}]}],"
             "\"nextCursor\":null}";
  } else if (is_method(line, "thread/start")) {
    snprintf(thread, sizeof thread, "{\"thread\":{\"id\":\"01a204ce-0000-7000-8000-%012lx\",\"turns\":[]},"
             "\"model\":\"gpt-5.5\",\"modelProvider\":\"bench\"}", next_id++);
    result = thread;
  } else if (is_method(line, "thread/resume")) {
    char resumed[id_bytes + 1];
    copy_thread(line, resumed);
    snprintf(thread, sizeof thread, "{\"thread\":{\"id\":\"%s\",\"turns\":[]}}", resumed);
    result = thread;
  }
  print("{\"id\":%ld,\"result\":%s}\n", id, result);
}

// Reads what is there. Lines may be tens of megabytes long: an image is one.
static void read_input(void) {
  static char *buffer;
  static size_t capacity, used, searched;
  if (capacity - used < 65536) {
    capacity = capacity * 2 + 262144;
    buffer = realloc(buffer, capacity);
    if (!buffer) exit(2);
  }
  ssize_t count = read(STDIN_FILENO, buffer + used, capacity - used - 1);
  if (count < 0 && errno == EINTR) return;
  if (count <= 0) exit(0);
  used += (size_t)count;
  size_t start = 0;
  char *end;
  while ((end = memchr(buffer + searched, '\n', used - searched))) {
    *end = 0;
    received(buffer + start, (size_t)(end - buffer) - start);
    start = searched = (size_t)(end - buffer) + 1;
  }
  memmove(buffer, buffer + start, used - start);
  used -= start;
  searched = used;
}

// Emits what is due; returns the milliseconds until more is, -1 for never.
static int emit(void) {
  int64_t now = 0, next = INT64_MAX;
  take_time();
  for (int i = 0; i < turn_count; i++) {
    struct turn *turn = &turns[i];
    if (!turn->is_running || turn->is_waiting || turn->is_held) continue;
    if (turn->due > 0) {
      if (now == 0) now = now_us();
      if (turn->due > now) {
        if (turn->due < next) next = turn->due;
        continue;
      }
    }
    for (long b = 0; b < turn->burst && turn->sent < turn->tokens; b++) put_delta(turn);
    if (output_bytes > flush_bytes) flush();
    if (turn->sent >= turn->tokens) {
      end_turn(turn, "completed");
    } else if (turn->gap > 0) {
      // Counted from the burst before and not from now, or the pace would drift.
      turn->due = (turn->due > 0 ? turn->due : now_us()) + turn->gap;
      if (turn->due < next) next = turn->due;
    } else {
      turn->due = 0;
      next = 0;
    }
  }
  flush();
  if (next == INT64_MAX) return -1;
  int64_t rest = next - now_us();
  return rest <= 0 ? 0 : (int)((rest + 999) / 1000);
}

int main(void) {
  while (true) {
    int timeout = emit();
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, timeout) > 0) read_input();
  }
}
