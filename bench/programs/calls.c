// Both ends of a measured proxy for gRPC, on libnghttp2.
//
//     calls serve PORT                                 answers every call with 55 bytes and grpc-status 0;
//                                                      a path /big?N with N MiB
//     calls load PORT CONNECTIONS STREAMS TOTAL [RATE] makes unary calls: as many at a time, or RATE a second
//     calls pull PORT CONNECTIONS MIB                  one large answer for each connection
//
// Every call has trace ids of its own, as no other load generator's have. `load` prints one line of key=value.
// cc -O2 calls.c -lnghttp2
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 55, STREAMS_ALLOWED = 20000, HELD = 65536, WINDOW = 1 << 20 };

typedef struct {
  int fd, is_writing;
  nghttp2_session *session;
  uint8_t *out;
  size_t held, room;
} Connection;

typedef struct {
  int is_translated, is_untranslated, is_answered;
  size_t left;
  double began;
} Stream;

static int epoll;
static long total, started, done, good, translated;
static double rate, *latencies;
static int pulls_mib;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t next_id(void) {
  static uint64_t x = 88172645463325252ull;
  x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  return x;
}

static nghttp2_nv field(const char *name, const char *value) {
  return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

static int is(const uint8_t *name, size_t size, const char *wanted) {
  return size == strlen(wanted) && !memcmp(name, wanted, size);
}

static void fail(const char *what) {
  fprintf(stderr, "%s: %s, %ld of %ld calls done\n", what, strerror(errno), done, total);
  exit(1);
}

// --- bytes

static int flush(Connection *c) {
  for (;;) {
    const uint8_t *data;
    ssize_t size;
    while (c->held < HELD && (size = nghttp2_session_mem_send(c->session, &data)) > 0) {
      if (c->held + size > c->room) c->out = realloc(c->out, c->room = 2 * (c->held + size));
      memcpy(c->out + c->held, data, size);
      c->held += size;
    }
    if (!c->held) break;
    ssize_t sent = send(c->fd, c->out, c->held, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return -1;
    if (sent < 0) break;
    memmove(c->out, c->out + sent, c->held -= sent);
  }
  int writes = c->held > 0;
  if (writes != c->is_writing) {
    struct epoll_event event = {EPOLLIN | (writes ? EPOLLOUT : 0), {.ptr = c}};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
    c->is_writing = writes;
  }
  return 0;
}

static Connection *join(int fd, nghttp2_session_callbacks *callbacks, int is_server) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Connection *c = calloc(1, sizeof *c);
  c->fd = fd;
  nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_ALLOWED}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
  if (is_server) nghttp2_session_server_new(&c->session, callbacks, c);
  else nghttp2_session_client_new(&c->session, callbacks, c);
  nghttp2_submit_settings(c->session, 0, settings, 2);
  nghttp2_session_set_local_window_size(c->session, 0, 0, 4 * WINDOW);
  struct epoll_event event = {EPOLLIN, {.ptr = c}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  flush(c);
  return c;
}

static int take(Connection *c) {
  static uint8_t buffer[1 << 18];
  ssize_t size = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) return flush(c);
  if (size <= 0 || nghttp2_session_mem_recv(c->session, buffer, size) < 0) return -1;
  return flush(c);
}

// --- the service

static ssize_t give(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t room, uint32_t *flags,
                    nghttp2_data_source *source, void *user) {
  Stream *stream = source->ptr;
  size_t size = stream->left < room ? stream->left : room;
  memset(buffer, 0, size);
  stream->left -= size;
  if (!stream->left) {
    nghttp2_nv trailers[] = {field("grpc-status", "0"), field("grpc-message", "")};
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, id, trailers, 2);
  }
  return size;
}

static int on_request_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  Stream *stream = calloc(1, sizeof *stream);
  stream->left = MESSAGE;
  return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
}

static int on_request_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                            const uint8_t *value, size_t size, uint8_t flags, void *user) {
  Stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (!stream) return 0;
  if (is(name, name_size, "traceparent")) stream->is_translated = 1;
  if (is(name, name_size, "x-b3-traceid")) stream->is_untranslated = 1;
  if (is(name, name_size, ":path") && size > 5 && !memcmp(value, "/big?", 5))
    stream->left = (size_t)atol((const char *)value + 5) << 20;
  return 0;
}

static int on_request_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
  int ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
  if (!ends || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)) return 0;
  Stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (!stream) return 0;
  const char *seen = stream->is_translated ? "w3c" : stream->is_untranslated ? "b3" : "none";
  nghttp2_nv head[] = {field(":status", "200"), field("content-type", "application/grpc"), field("x-seen", seen)};
  nghttp2_data_provider content = {{.ptr = stream}, give};
  nghttp2_submit_response(session, frame->hd.stream_id, head, 3, &content);
  return 0;
}

static int on_request_over(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
  free(nghttp2_session_get_stream_user_data(session, id));
  return 0;
}

static _Noreturn void serve(struct sockaddr_in *address) {
  int on = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listening, (void *)address, sizeof *address) || listen(listening, 1024)) fail("listen");
  struct epoll_event event = {EPOLLIN, {.ptr = 0}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event);
  nghttp2_session_callbacks *callbacks;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_request_begin);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_request_field);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_request_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_request_over);
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, -1);
    for (int at = 0; at < count; at++) {
      Connection *c = events[at].data.ptr;
      if (!c) {
        join(accept4(listening, 0, 0, SOCK_NONBLOCK), callbacks, 1);
      } else if (take(c) < 0) {
        close(c->fd);
        nghttp2_session_del(c->session);
        free(c->out);
        free(c);
      }
    }
  }
}

// --- the callers

static ssize_t ask(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t room, uint32_t *flags,
                   nghttp2_data_source *source, void *user) {
  memset(buffer, 0, MESSAGE);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  return MESSAGE;
}

static void call(Connection *c) {
  char trace[33], span[17], path[32] = "/shop.v1.Cart/AddItem";
  sprintf(trace, "%016lx%016lx", (unsigned long)next_id(), (unsigned long)next_id());
  sprintf(span, "%016lx", (unsigned long)next_id());
  if (pulls_mib) sprintf(path, "/big?%d", pulls_mib);
  nghttp2_nv head[] = {
      field(":method", "POST"), field(":scheme", "http"), field(":path", path), field(":authority", "cart.shop:50051"),
      field("te", "trailers"), field("content-type", "application/grpc"), field("user-agent", "grpc-go/1.60.1"),
      field("grpc-accept-encoding", "gzip"), field("x-request-tenant", "acme"), field("x-b3-traceid", trace),
      field("x-b3-spanid", span), field("x-b3-sampled", "1")};
  Stream *stream = calloc(1, sizeof *stream);
  stream->began = now();
  nghttp2_data_provider content = {{0}, ask};
  if (nghttp2_submit_request(c->session, 0, head, 12, &content, stream) < 0) fail("a call");
  started++;
}

static int on_answer_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                           const uint8_t *value, size_t size, uint8_t flags, void *user) {
  Stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (!stream) return 0;
  if (is(name, name_size, "grpc-status") && is(value, size, "0")) stream->is_answered = 1;
  if (is(name, name_size, "x-seen") && is(value, size, "w3c")) stream->is_translated = 1;
  return 0;
}

static int on_answer_over(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
  Stream *stream = nghttp2_session_get_stream_user_data(session, id);
  latencies[done++] = now() - stream->began;
  good += !code && stream->is_answered;
  translated += stream->is_translated;
  free(stream);
  if (!rate && started < total) call(user);
  return 0;
}

static int by_size(const void *one, const void *other) {
  double difference = *(const double *)one - *(const double *)other;
  return (difference > 0) - (difference < 0);
}

static int load(struct sockaddr_in *address, int connections, int streams) {
  latencies = calloc(total, sizeof *latencies);
  nghttp2_session_callbacks *callbacks;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_answer_field);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_answer_over);
  Connection **all = calloc(connections, sizeof *all);
  for (int at = 0; at < connections; at++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (void *)address, sizeof *address)) fail("connect");
    all[at] = join(fd, callbacks, 0);
  }
  double began = now(), next = began;
  for (int at = 0; !rate && at < connections; at++) {
    for (int count = 0; count < streams && started < total; count++) call(all[at]);
    flush(all[at]);
  }
  for (int turn = 0; done < total;) {
    while (rate && started < total && next <= now()) {
      call(all[turn]);
      flush(all[turn]);
      turn = (turn + 1) % connections;
      next += 1 / rate;
    }
    double wait = rate && started < total ? next - now() : 20;
    struct timespec most = {(time_t)wait, (long)((wait > 0 ? wait - (time_t)wait : 0) * 1e9)};
    struct epoll_event events[64];
    int count = epoll_pwait2(epoll, events, 64, &most, 0);
    if (!count && wait >= 20) fail("no answer for 20 s");
    for (int at = 0; at < count; at++)
      if (take(events[at].data.ptr) < 0) fail("a connection has ended");
  }
  double took = now() - began;
  qsort(latencies, total, sizeof *latencies, by_size);
  printf("calls_per_s=%.0f good=%ld translated=%ld p50_us=%.0f p99_us=%.0f\n", total / took, good, translated,
         latencies[total / 2] * 1e6, latencies[total * 99 / 100] * 1e6);
  return good == total ? 0 : 1;
}

int main(int count, char **words) {
  if (count < 3) return fprintf(stderr, "calls serve PORT | load PORT CONNECTIONS STREAMS TOTAL [RATE] | pull PORT CONNECTIONS MIB\n"), 2;
  struct sockaddr_in address = {AF_INET, htons(atoi(words[2])), {htonl(INADDR_LOOPBACK)}};
  epoll = epoll_create1(0);
  if (!strcmp(words[1], "serve")) serve(&address);
  int connections = atoi(words[3]);
  if (!strcmp(words[1], "pull")) {
    total = connections;
    pulls_mib = atoi(words[4]);
    return load(&address, connections, 1);
  }
  total = atol(words[5]);
  rate = count > 6 ? atof(words[6]) : 0;
  return load(&address, connections, atoi(words[4]));
}
