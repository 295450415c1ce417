// Server-sent events framing (WHATWG HTML, "Server-sent events"). Knows line breaks, not JSON.

/// Framing of server-sent events.
enum EventStream {
  static let fields: ResponseFields = [
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    // nginx buffers answers unless this field forbids it; tokens would then arrive in bursts.
    "X-Accel-Buffering": "no",
  ]

  static let dataPrefix = "data: "
  static let eventEnd = "\n\n"
}

extension ByteBuffer {
  /// Appends one event whose data is a single line.
  mutating func append(event data: String) {
    append(EventStream.dataPrefix)
    append(data)
    append(EventStream.eventEnd)
  }

  /// Appends a comment line, which clients skip; it keeps proxies from closing a silent stream. No blank line follows:
  /// that would dispatch an event without data, which openai-go before 3.43 takes for the end of the stream.
  mutating func append(comment: String) {
    append(": ")
    append(comment)
    append(UInt8(ascii: "\n"))
  }
}
