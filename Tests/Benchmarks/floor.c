// The least a bridge could do: libuv and no checks. It starts the same engine, reads its lines, copies each delta from
// where it always stands into a chunk of the bridge's own form, and writes once per connection and loop turn. What it
// costs is what the task costs; the rest is the bridge's. No error is handled: it only ever meets the benchmark.
//
//   floor ENGINE [N|pair]  prints the port it listens on
//
// It reads the engine's lines from the bridge's kind of pipe, one with room, as much as libuv likes; with `pair` from the
// socket pair that libuv makes for a child. With N it writes to at most N connections before it looks at its sockets
// again, as the bridge does. What comes for the others meanwhile shares their write, so where there is more than it can do
// that is less work, not the same.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { max_connections = 16384, read_bytes = 64 * 1024, header_bytes = 16, kept_bytes = 4096, pipe_bytes = 256 * 1024 };

struct connection {
  uv_tcp_t tcp;
  unsigned slot;
  char *output;  // `header_bytes` are left free for the size of the chunk.
  size_t output_bytes, output_capacity;
  bool is_dirty, is_listed;  // Has something to write; stands in `listed`, where it may stay after that was written.
  bool is_closed;
  char request[1024];
  size_t request_bytes;
};

static struct connection *connections[max_connections];
static unsigned connection_count, free_slots[max_connections], free_count;
static struct connection *listed[2 * max_connections];
static unsigned listed_count, flushed_at_once = 2 * max_connections;
static uv_idle_t busy;
static uv_pipe_t engine_in, engine_out;
static char read_buffer[read_bytes], pipe_buffer[read_bytes];
static char *partial;
static size_t partial_bytes, partial_capacity;

static const char delta_head[] = "{\"method\":\"item/agentMessage/delta\",\"params\":{\"threadId\":\"";
static const char completed_head[] = "{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"";
// After the thread's id: `","turnId":"` 36 `","itemId":"` 48 `","delta":"`.
enum { thread_bytes = 36, text_offset = sizeof delta_head - 1 + thread_bytes + 12 + 36 + 12 + 48 + 11 };

static const char chunk_head[] =
  "data: {\"id\":\"chatcmpl-0123456789abcdefghijklmn\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,"
  "\"model\":\"gpt-5.5\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
static const char chunk_tail[] = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
static const char answer_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n";
static const char answer_end[] = "data: [DONE]\n\n";

static void append(struct connection *c, const char *bytes, size_t count) {
  if (c->output_bytes + count + 16 > c->output_capacity) {
    c->output_capacity = (c->output_bytes + count + 16) * 2;
    c->output = realloc(c->output, c->output_capacity);
  }
  if (!c->is_dirty) {
    c->is_dirty = true;
    c->output_bytes = header_bytes;
  }
  if (!c->is_listed) {
    c->is_listed = true;
    listed[listed_count++] = c;
  }
  memcpy(c->output + c->output_bytes, bytes, count);
  c->output_bytes += count;
}

static void free_write(uv_write_t *request, int status) {
  (void)status;
  free(request->data);
  free(request);
}

static void write_all(uv_stream_t *stream, char *bytes, size_t count) {
  uv_buf_t buffer = uv_buf_init(bytes, (unsigned)count);
  int sent = uv_try_write(stream, &buffer, 1);
  if (sent < 0) sent = 0;
  if ((size_t)sent == count) return;
  uv_write_t *request = malloc(sizeof *request);
  char *rest = malloc(count - (size_t)sent);
  memcpy(rest, bytes + sent, count - (size_t)sent);
  request->data = rest;
  buffer = uv_buf_init(rest, (unsigned)(count - (size_t)sent));
  uv_write(request, stream, &buffer, 1, free_write);
}

static void flush_one(struct connection *c) {
  if (!c->is_dirty) return;
  c->is_dirty = false;
  char header[header_bytes + 1];
  size_t count = (size_t)sprintf(header, "%zx\r\n", c->output_bytes - header_bytes);
  memcpy(c->output + header_bytes - count, header, count);
  memcpy(c->output + c->output_bytes, "\r\n", 2);
  write_all((uv_stream_t *)&c->tcp, c->output + header_bytes - count, c->output_bytes + 2 - header_bytes + count);
  if (c->output_capacity > kept_bytes) {
    free(c->output);
    c->output = NULL;
    c->output_capacity = 0;
  }
}

static void stay_awake(uv_idle_t *idle) { (void)idle; }

static void free_connection(struct connection *c) {
  free(c->output);
  free(c);
}

static void flush_listed(void) {
  unsigned count = listed_count < flushed_at_once ? listed_count : flushed_at_once;
  for (unsigned i = 0; i < count; i++) {
    struct connection *c = listed[i];
    c->is_listed = false;
    if (c->is_closed) free_connection(c);
    else flush_one(c);
  }
  listed_count -= count;
  memmove(listed, listed + count, listed_count * sizeof *listed);
  if (listed_count) uv_idle_start(&busy, stay_awake);
  else uv_idle_stop(&busy);
}

static void flush_after_reading(uv_check_t *check) {
  (void)check;
  flush_listed();
}

static void flush_before_reading(uv_prepare_t *prepare) {
  (void)prepare;
  flush_listed();
}

static struct connection *connection_of(const char *thread) { return connections[strtoul(thread + 24, NULL, 16)]; }

static void received_line(const char *line, size_t count) {
  if (count > text_offset && !memcmp(line, delta_head, sizeof delta_head - 1)) {
    struct connection *c = connection_of(line + sizeof delta_head - 1);
    const char *text = line + text_offset;
    const char *end = memchr(text, '"', count - text_offset);
    append(c, chunk_head, sizeof chunk_head - 1);
    append(c, text, (size_t)(end - text));
    append(c, chunk_tail, sizeof chunk_tail - 1);
  } else if (count > sizeof completed_head && !memcmp(line, completed_head, sizeof completed_head - 1)) {
    struct connection *c = connection_of(line + sizeof completed_head - 1);
    append(c, answer_end, sizeof answer_end - 1);
    flush_one(c);
    write_all((uv_stream_t *)&c->tcp, "0\r\n\r\n", 5);
  } else if (!memcmp(line, "{\"id\":", 6)) {
    struct connection *c = connections[strtoul(line + 6, NULL, 10)];
    write_all((uv_stream_t *)&c->tcp, (char *)answer_head, sizeof answer_head - 1);
    append(c, chunk_head, sizeof chunk_head - 1);
    append(c, chunk_tail, sizeof chunk_tail - 1);
  }
}

static void keep_partial(const char *bytes, size_t count) {
  if (partial_bytes + count > partial_capacity) {
    partial_capacity = (partial_bytes + count) * 2;
    partial = realloc(partial, partial_capacity);
  }
  memcpy(partial + partial_bytes, bytes, count);
  partial_bytes += count;
}

static void engine_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
  (void)stream;
  if (count < 0) exit(0);
  const char *bytes = buffer->base, *end = bytes + count, *line_end;
  while ((line_end = memchr(bytes, '\n', (size_t)(end - bytes)))) {
    if (partial_bytes) {
      keep_partial(bytes, (size_t)(line_end - bytes));
      received_line(partial, partial_bytes);
      partial_bytes = 0;
    } else {
      received_line(bytes, (size_t)(line_end - bytes));
    }
    bytes = line_end + 1;
  }
  if (bytes < end) keep_partial(bytes, (size_t)(end - bytes));
}

static void closed(uv_handle_t *handle) {
  struct connection *c = handle->data;
  free_slots[free_count++] = c->slot;
  c->is_closed = true;
  if (!c->is_listed) free_connection(c);
}

static void client_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
  struct connection *c = stream->data;
  if (count < 0) return uv_close((uv_handle_t *)stream, closed);
  if (c->request_bytes + (size_t)count >= sizeof c->request) return;
  memcpy(c->request + c->request_bytes, buffer->base, (size_t)count);
  c->request_bytes += (size_t)count;
  c->request[c->request_bytes] = 0;
  char *text = strstr(c->request, "bench ");
  if (!text || !strstr(text, "}")) return;
  char line[512];
  int bytes = snprintf(line, sizeof line,
                       "{\"id\":%u,\"method\":\"turn/start\",\"params\":{\"threadId\":\"01a204ce-0000-7000-8000-%012x\","
                       "\"input\":[{\"type\":\"text\",\"text\":\"%.*s\"}]}}\n",
                       c->slot, c->slot, (int)strcspn(text, "\""), text);
  c->request_bytes = 0;
  write_all((uv_stream_t *)&engine_in, line, (size_t)bytes);
}

static void lend_client_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
  (void)handle, (void)size;
  *buffer = uv_buf_init(read_buffer, sizeof read_buffer);
}

static void lend_pipe_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
  (void)handle, (void)size;
  *buffer = uv_buf_init(pipe_buffer, sizeof pipe_buffer);
}

static void accepted(uv_stream_t *server, int status) {
  if (status < 0 || (free_count == 0 && connection_count == max_connections)) return;
  struct connection *c = calloc(1, sizeof *c);
  uv_tcp_init(server->loop, &c->tcp);
  uv_accept(server, (uv_stream_t *)&c->tcp);
  uv_tcp_nodelay(&c->tcp, 1);
  c->tcp.data = c;
  c->slot = free_count ? free_slots[--free_count] : connection_count++;
  connections[c->slot] = c;
  uv_read_start((uv_stream_t *)&c->tcp, lend_client_buffer, client_read);
}

static void start_engine(uv_loop_t *loop, char *program, bool has_pair) {
  static uv_process_t process;
  uv_pipe_init(loop, &engine_in, 0);
  uv_pipe_init(loop, &engine_out, 0);
  uv_stdio_container_t streams[3] = {
    {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&engine_in},
    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&engine_out},
    {.flags = UV_INHERIT_FD, .data.fd = 2},
  };
  uv_file output[2] = {-1, -1};
  if (!has_pair) {
    if (uv_pipe(output, UV_NONBLOCK_PIPE, 0) || uv_pipe_open(&engine_out, output[0])) exit(2);
    fcntl(output[0], F_SETPIPE_SZ, pipe_bytes);
    streams[1] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = output[1]};
  }
  char *arguments[] = {program, NULL};
  uv_process_options_t options = {.file = program, .args = arguments, .stdio = streams, .stdio_count = 3};
  if (uv_spawn(loop, &process, &options)) exit(2);
  if (!has_pair) close(output[1]);
  uv_read_start((uv_stream_t *)&engine_out, lend_pipe_buffer, engine_read);
}

int main(int count, char **words) {
  if (count < 2 || count > 3) return 2;
  bool has_pair = count == 3 && !strcmp(words[2], "pair");
  if (count == 3 && !has_pair) flushed_at_once = (unsigned)atoi(words[2]);
  uv_loop_t *loop = uv_default_loop();
  start_engine(loop, words[1], has_pair);
  uv_tcp_t server;
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_init(loop, &server);
  uv_tcp_bind(&server, (struct sockaddr *)&address, 0);
  uv_listen((uv_stream_t *)&server, 1024, accepted);
  int length = sizeof address;
  uv_tcp_getsockname(&server, (struct sockaddr *)&address, &length);
  printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  uv_check_t check;
  uv_check_init(loop, &check);
  uv_check_start(&check, flush_after_reading);
  uv_prepare_t prepare;
  uv_prepare_init(loop, &prepare);
  uv_prepare_start(&prepare, flush_before_reading);
  uv_idle_init(loop, &busy);
  return uv_run(loop, UV_RUN_DEFAULT);
}
