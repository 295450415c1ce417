// The clients of the benchmarks: many HTTP connections from one process with one epoll, each of which checks all that
// it is sent. A token that is lost, doubled or out of place, and any status but 200, is an error and is counted.
//
//   load turns  --port P [--connections N] [--turns T] --text TEXT --tokens N   streamed chat completions, with
//               --path /v1/responses responses
//   load gets   --port P [--connections N] --seconds S --path PATH              requests on kept connections
//               (or --requests N instead of a time)
//   load idle   --port P [--connections N] [--path PATH]                        connections that then do nothing
//   load probe  --port P [--path PATH]                                          a request each 5 ms, until input ends
//
// `turns` and `idle` print `started` when every connection has its first event (its answer), so that whoever measures
// knows from when on; `idle`, and `turns` with --hold, then stay until their input ends. The last line is JSON.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// No more clients than `max_beginning` wait for their first answer at once: a crowd at the door is not what is measured.
enum { read_bytes = 256 * 1024, max_events = 1024, max_beginning = 1000, probe_gap_us = 5000 };

enum part { part_head, part_length, part_chunk_size, part_chunk, part_chunk_end, part_trailer };

struct connection {
  int fd;
  char *request;
  size_t request_bytes, request_sent;
  enum part part;
  char *held;  // What of a line came without its end.
  size_t held_bytes, held_capacity;
  size_t remaining;
  char line[32];  // What there is of the line between two chunks.
  size_t line_bytes;
  long turns_left;
  long token, position;  // The token that comes next, and how many of its bytes have come.
  bool has_begun, has_text, is_done, has_ended;
  int64_t sent_at;
};

static struct {
  const char *mode, *path, *text, *key, *session, *body_file;
  int port, connections;
  long turns, tokens, requests;
  double seconds;
  bool holds, is_whole;
} options = {.path = "/health", .text = "", .key = "bench-key", .connections = 1, .turns = 1, .tokens = 5};

static struct connection *connections;
static int epoll_fd;
static long begun, started, finished, tokens, requests, errors, session_number;
static int64_t stop_at, first_text_at, last_text_at;
static char *body_file_bytes;

struct samples {
  double *values;
  size_t count, capacity;
};
static struct samples first_times, turn_times;

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void *checked(void *memory) {
  if (memory) return memory;
  perror("memory");
  exit(2);
}

static void sample(struct samples *samples, double value) {
  if (samples->count == samples->capacity) {
    samples->capacity = samples->capacity * 2 + 1024;
    samples->values = checked(realloc(samples->values, samples->capacity * sizeof(double)));
  }
  samples->values[samples->count++] = value;
}

static int compare(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

static void print_samples(const char *name, struct samples *samples) {
  qsort(samples->values, samples->count, sizeof(double), compare);
  double at[] = {0.5, 0.9, 0.99, 1};
  printf(",\"%s\":[", name);
  for (int i = 0; i < 4; i++) {
    size_t index = samples->count ? (size_t)(at[i] * (double)(samples->count - 1)) : 0;
    printf("%s%.4f", i ? "," : "", samples->count ? samples->values[index] / 1000 : 0);
  }
  printf("]");
}

static void fail(const char *what, const char *detail, size_t bytes) {
  if (errors++ < 5) fprintf(stderr, "load: %s: %.*s\n", what, (int)(bytes > 300 ? 300 : bytes), detail);
}

// ---- requests

static const char responses_path[] = "/v1/responses";

// Whether `turns` asks for responses instead of chat completions.
static bool is_response(void) { return !strcmp(options.path, responses_path); }

static void make_request(struct connection *c) {
  free(c->request);
  if (strcmp(options.mode, "turns")) {
    int count = asprintf(&c->request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n",
                         options.path, options.key);
    c->request_bytes = count < 0 ? 0 : (size_t)count;
    return;
  }
  char session[128] = "";
  if (options.session)
    snprintf(session, sizeof session, ",\"session_id\":\"%s-%d-%ld\"", options.session, (int)getpid(),
             session_number++);
  char *body = body_file_bytes;
  if (!body && is_response() && asprintf(&body, "{\"model\":\"gpt-5.5\",\"stream\":true,\"store\":false,\"input\":\"%s\"}",
                                         options.text) < 0) exit(2);
  if (!body && asprintf(&body, "{\"model\":\"gpt-5.5\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":"
                        "\"%s\"}]%s}", options.is_whole ? "false" : "true", options.text, session) < 0) exit(2);
  int count = asprintf(&c->request,
                       "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                       is_response() ? responses_path : "/v1/chat/completions", options.key, strlen(body), body);
  c->request_bytes = count < 0 ? 0 : (size_t)count;
  if (body != body_file_bytes) free(body);
}

static void watch(struct connection *c, int operation, bool wants_write) {
  struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0u), .data.ptr = c};
  if (epoll_ctl(epoll_fd, operation, c->fd, &event) < 0) perror("epoll_ctl");
}

static void end_connection(struct connection *c) {
  if (c->has_ended) return;
  c->has_ended = true;
  finished++;
  if (!options.holds) close(c->fd);
}

static void send_rest(struct connection *c) {
  while (c->request_sent < c->request_bytes) {
    ssize_t count = send(c->fd, c->request + c->request_sent, c->request_bytes - c->request_sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) return watch(c, EPOLL_CTL_MOD, true);
    if (count < 0) {
      fail("cannot send", strerror(errno), 100);
      return end_connection(c);
    }
    c->request_sent += (size_t)count;
  }
}

static void start_request(struct connection *c) {
  // One that is the same each time is made once.
  if (!c->request || options.session) make_request(c);
  c->request_sent = 0;
  c->part = part_head;
  c->token = c->position = 0;
  c->has_text = c->is_done = false;
  c->sent_at = now_us();
  send_rest(c);
}

static void begin(struct connection *c) {
  if (c->has_begun) return;
  c->has_begun = true;
  if (started < options.connections) start_request(&connections[started++]);
  if (++begun == options.connections && strcmp(options.mode, "gets")) {
    puts("started");
    fflush(stdout);
  }
}

// ---- answers

// Compares text with `t0 t1 t2 …`, however it is cut.
static void check_text(struct connection *c, const char *text, size_t count) {
  char expected[24];
  size_t length = 0;
  for (size_t i = 0; i < count; i++) {
    if (c->position == 0 || length == 0) length = (size_t)sprintf(expected, "t%ld ", c->token);
    if (text[i] != expected[c->position]) {
      fail("a token is not the one that comes next", text, count);
      c->turns_left = 0;
      return;
    }
    if ((size_t)++c->position == length) {
      c->position = 0;
      c->token++;
      tokens++;
    }
  }
}

static void saw_text(struct connection *c, const char *text, size_t count) {
  if (count == 0) return;
  if (!c->has_text) {
    int64_t now = now_us();
    c->has_text = true;
    sample(&first_times, (double)(now - c->sent_at));
    if (first_text_at == 0) first_text_at = now;
  }
  check_text(c, text, count);
}

static const char content_key[] = "\"content\":\"", delta_key[] = "\"delta\":\"";

static bool has(const char *line, size_t count, const char *text) { return memmem(line, count, text, strlen(text)); }

static void response_line(struct connection *c, const char *line, size_t count) {
  const char *key = memmem(line, count, delta_key, sizeof delta_key - 1);
  if (key && has(line, count, "\"type\":\"response.output_text.delta\"")) {
    const char *text = key + sizeof delta_key - 1;
    const char *end = memchr(text, '"', count - (size_t)(text - line));
    if (end) saw_text(c, text, (size_t)(end - text));
  } else if (has(line, count, "\"type\":\"response.completed\"")) {
    c->is_done = true;
  } else if (has(line, count, "\"type\":\"error\"") || has(line, count, "\"error\":{")) {
    fail("an error", line, count);
  }
}

static void body_line(struct connection *c, const char *line, size_t count) {
  if (count && line[count - 1] == '\r') count--;
  bool is_event = count >= 6 && !memcmp(line, "data: ", 6);
  if (!is_event && !options.is_whole) return;
  begin(c);
  if (is_response()) return response_line(c, line, count);
  if (is_event && count == 12 && !memcmp(line + 6, "[DONE]", 6)) {
    c->is_done = true;
    return;
  }
  const char *key = memmem(line, count, content_key, sizeof content_key - 1);
  if (key) {
    const char *text = key + sizeof content_key - 1;
    const char *end = memchr(text, '"', count - (size_t)(text - line));
    if (end) saw_text(c, text, (size_t)(end - text));
    if (options.is_whole) c->is_done = true;
  } else if (memmem(line, count, "\"error\"", 7)) {
    fail("an error", line, count);
  }
}

static void hold(struct connection *c, const char *bytes, size_t count) {
  if (c->held_bytes + count > c->held_capacity) {
    c->held_capacity = (c->held_bytes + count) * 2;
    c->held = checked(realloc(c->held, c->held_capacity));
  }
  memcpy(c->held + c->held_bytes, bytes, count);
  c->held_bytes += count;
}

static void body_bytes(struct connection *c, const char *bytes, size_t count) {
  if (strcmp(options.mode, "turns")) return;
  const char *end = bytes + count, *line_end;
  while ((line_end = memchr(bytes, '\n', (size_t)(end - bytes)))) {
    if (c->held_bytes) {
      hold(c, bytes, (size_t)(line_end - bytes));
      size_t held = c->held_bytes;
      c->held_bytes = 0;
      body_line(c, c->held, held);
    } else {
      body_line(c, bytes, (size_t)(line_end - bytes));
    }
    bytes = line_end + 1;
  }
  if (bytes < end) hold(c, bytes, (size_t)(end - bytes));
}

static void answer_ended(struct connection *c) {
  int64_t now = now_us();
  requests++;
  sample(&turn_times, (double)(now - c->sent_at));
  if (!strcmp(options.mode, "probe")) return;
  if (!strcmp(options.mode, "idle")) {
    begin(c);
    return;
  }
  if (!strcmp(options.mode, "turns")) {
    if (c->held_bytes) {
      size_t held = c->held_bytes;
      c->held_bytes = 0;
      body_line(c, c->held, held);
    }
    last_text_at = now;
    if (!c->is_done) fail("an answer does not end", "", 0);
    if (c->token != options.tokens || c->position) {
      char detail[64];
      fail("tokens are missing", detail, (size_t)sprintf(detail, "%ld of %ld", c->token, options.tokens));
    }
    if (--c->turns_left > 0) return start_request(c);
  } else if (options.requests ? requests < options.requests : now < stop_at) {
    return start_request(c);
  }
  end_connection(c);
}

static bool head_ended(struct connection *c) {
  c->held[c->held_bytes - 1] = 0;
  if (strncmp(c->held, "HTTP/1.1 200", 12)) {
    fail("a status", c->held, 12);
    c->turns_left = 0;
  }
  const char *length = strcasestr(c->held, "\r\ncontent-length:");
  c->remaining = length ? strtoul(length + 17, NULL, 10) : 0;
  c->part = length ? part_length : part_chunk_size;
  c->held_bytes = 0;
  return length && c->remaining == 0;
}

// Gathers the line between two chunks, however it is cut; returns how much of the input it used.
static size_t take_line(struct connection *c, const char *bytes, size_t count, bool *is_whole) {
  const char *end = memchr(bytes, '\n', count);
  size_t used = end ? (size_t)(end - bytes) + 1 : count;
  for (size_t i = 0; i < used && c->line_bytes + 1 < sizeof c->line; i++) c->line[c->line_bytes++] = bytes[i];
  c->line[c->line_bytes] = 0;
  *is_whole = end != NULL;
  if (end) c->line_bytes = 0;
  return used;
}

static void received(struct connection *c, const char *bytes, size_t count) {
  while (count > 0 && !c->has_ended) {
    size_t used = count;
    bool is_whole = false;
    switch (c->part) {
      case part_head: {
        const char *end = memchr(bytes, '\n', count);
        used = end ? (size_t)(end - bytes) + 1 : count;
        hold(c, bytes, used);
        if (c->held_bytes >= 4 && !memcmp(c->held + c->held_bytes - 4, "\r\n\r\n", 4) && head_ended(c))
          answer_ended(c);
        break;
      }
      case part_length:
        if (used > c->remaining) used = c->remaining;
        body_bytes(c, bytes, used);
        if ((c->remaining -= used) == 0) answer_ended(c);
        break;
      case part_chunk_size:
        used = take_line(c, bytes, count, &is_whole);
        if (!is_whole) break;
        c->remaining = strtoul(c->line, NULL, 16);
        c->part = c->remaining ? part_chunk : part_trailer;
        break;
      case part_chunk:
        if (used > c->remaining) used = c->remaining;
        body_bytes(c, bytes, used);
        if ((c->remaining -= used) == 0) c->part = part_chunk_end;
        break;
      case part_chunk_end:
      case part_trailer:
        used = take_line(c, bytes, count, &is_whole);
        if (!is_whole) break;
        if (c->part == part_trailer) answer_ended(c);
        else c->part = part_chunk_size;
        break;
    }
    bytes += used;
    count -= used;
  }
}

// ---- the loop

static void open_connections(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  connections = checked(calloc((size_t)options.connections, sizeof *connections));
  for (int i = 0; i < options.connections; i++) {
    struct connection *c = &connections[i];
    c->turns_left = options.turns;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) {
      perror("connect");
      exit(2);
    }
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) perror("epoll_ctl");
  }
}

static void read_some(struct connection *c) {
  static char buffer[read_bytes];
  ssize_t count = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    fail("the connection ended", "", 0);
    return end_connection(c);
  }
  received(c, buffer, (size_t)count);
}

static bool wants_to_stay(void) { return options.holds || !strcmp(options.mode, "idle"); }

static void run(void) {
  struct epoll_event events[max_events];
  if (wants_to_stay()) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event);
  }
  while (finished < options.connections) {
    int count = epoll_wait(epoll_fd, events, max_events, 60000);
    if (count == 0) {
      fail("nothing came for a minute", "", 0);
      return;
    }
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c) return;
      if (c->has_ended) continue;
      if (events[i].events & EPOLLOUT) {
        watch(c, EPOLL_CTL_MOD, false);
        send_rest(c);
      }
      if (!c->has_ended && events[i].events & ~(uint32_t)EPOLLOUT) read_some(c);
    }
  }
}

// Whether there is nothing to read before `due`. Exact to the microsecond, where `poll` has milliseconds.
static bool is_quiet_until(int fd, int64_t due) {
  struct pollfd input = {.fd = fd, .events = POLLIN};
  int64_t left = due - now_us();
  struct timespec wait = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
  return left <= 0 || ppoll(&input, 1, &wait, NULL) <= 0;
}

// What a client sees that comes in at any moment.
static void probe(void) {
  struct connection *c = &connections[0];
  int64_t due = now_us();
  while (is_quiet_until(STDIN_FILENO, due) && !c->has_ended) {
    long answered = requests;
    start_request(c);
    while (requests == answered && !c->has_ended) {
      if (is_quiet_until(c->fd, now_us() + 60000000)) return fail("nothing came for a minute", "", 0);
      read_some(c);
    }
    // Those that would have come meanwhile would have waited as well.
    int64_t now = now_us();
    for (due += probe_gap_us; due < now; due += probe_gap_us) sample(&turn_times, (double)(now - due));
  }
}

static void read_body_file(void) {
  FILE *file = fopen(options.body_file, "rb");
  if (!file) {
    perror(options.body_file);
    exit(2);
  }
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  body_file_bytes = checked(calloc(1, (size_t)size + 1));
  if (fread(body_file_bytes, 1, (size_t)size, file) != (size_t)size) exit(2);
  fclose(file);
}

static void parse_options(int count, char **words) {
  options.mode = count > 1 ? words[1] : "";
  for (int i = 2; i < count; i++) {
    const char *name = words[i], *value = i + 1 < count ? words[i + 1] : "";
    if (!strcmp(name, "--hold")) options.holds = true;
    else if (!strcmp(name, "--whole")) options.is_whole = true;
    else {
      i++;
      if (!strcmp(name, "--port")) options.port = atoi(value);
      else if (!strcmp(name, "--connections")) options.connections = atoi(value);
      else if (!strcmp(name, "--turns")) options.turns = atol(value);
      else if (!strcmp(name, "--tokens")) options.tokens = atol(value);
      else if (!strcmp(name, "--requests")) options.requests = atol(value);
      else if (!strcmp(name, "--seconds")) options.seconds = atof(value);
      else if (!strcmp(name, "--path")) options.path = value;
      else if (!strcmp(name, "--text")) options.text = value;
      else if (!strcmp(name, "--key")) options.key = value;
      else if (!strcmp(name, "--session")) options.session = value;
      else if (!strcmp(name, "--body")) options.body_file = value;
      else {
        fprintf(stderr, "load: unknown option %s\n", name);
        exit(2);
      }
    }
  }
}

int main(int count, char **words) {
  parse_options(count, words);
  struct rlimit limit;
  if (!getrlimit(RLIMIT_NOFILE, &limit)) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (options.body_file) read_body_file();
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  open_connections();
  int64_t start = now_us();
  stop_at = start + (int64_t)(options.seconds * 1e6);
  // Idle connections may have had a request or none at all.
  bool is_silent = !strcmp(options.mode, "idle") && !*options.path;
  started = is_silent ? options.connections : 0;
  if (is_silent)
    for (int i = 0; i < options.connections; i++) begin(&connections[i]);
  bool is_probe = !strcmp(options.mode, "probe");
  while (!is_probe && started < options.connections && started < max_beginning) start_request(&connections[started++]);
  if (is_probe) probe();
  else run();
  int64_t end = now_us();
  printf("{\"requests\":%ld,\"tokens\":%ld,\"errors\":%ld,\"seconds\":%.6f,\"text_seconds\":%.6f", requests, tokens,
         errors, (double)(end - start) / 1e6, (double)(last_text_at - first_text_at) / 1e6);
  print_samples("first_ms", &first_times);
  print_samples("whole_ms", &turn_times);
  printf("}\n");
  return errors ? 1 : 0;
}
