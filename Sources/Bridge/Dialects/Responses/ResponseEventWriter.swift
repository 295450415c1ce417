// Writes the events of a response stream (OpenAI API reference, "Streaming events"): server-sent events, or text frames of a
// WebSocket, with the same JSON in both.

/// Numbers events and writes them. Events that a client has got before are counted and left out.
struct ResponseEventWriter: Sendable {
  /// How events are told apart on the wire.
  enum Framing: Sendable {
    case serverSentEvents
    /// Each event is one text frame.
    case webSocket
  }

  private let framing: Framing
  /// Events up to this number are left out.
  private let lastSeen: Int
  /// The number of the next event.
  private(set) var number = 0

  /// `lastSeen` is the number of the last event that the client has; nil for none.
  init(_ framing: Framing, after lastSeen: Int? = nil) {
    self.framing = framing
    self.lastSeen = lastSeen ?? -1
  }

  /// Writes an event; `members` appends all behind its type and its number, each with a comma before it.
  mutating func write(_ type: StaticString, to buffer: inout ByteBuffer, _ members: (inout ByteBuffer) -> Void) {
    defer { number += 1 }
    guard number > lastSeen else { return }
    let number = number
    frame(type, &buffer) {
      Self.appendHead(type, number, to: &$0)
      members(&$0)
      $0.append(fixed: "}")
    }
  }

  /// Writes an event with these members.
  mutating func write(
    _ type: StaticString, to buffer: inout ByteBuffer, _ members: KeyValuePairs<String, JSONValue>
  ) {
    write(type, to: &buffer, members.map { ($0, $1) })
  }

  /// The same.
  mutating func write(_ type: StaticString, to buffer: inout ByteBuffer, _ members: [(String, JSONValue)]) {
    write(type, to: &buffer) { buffer in
      for (key, value) in members {
        buffer.append(fixed: ",")
        buffer.append(jsonString: key)
        buffer.append(fixed: ":")
        buffer.append(json: value)
      }
    }
  }

  private static let textEventBegin: StaticString =
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":"
  private static let textBegin: StaticString = #"{"type":"response.output_text.delta","sequence_number":"#
  private static let textEnd: StaticString = #"","logprobs":[]}"#
  private static let textEventEnd: StaticString = "\",\"logprobs\":[]}\n\n"

  /// Writes a piece of a message's text, which is still escaped as in JSON. `head` is all between the number of the event and the
  /// text. The same as `write`, in few copies.
  @inline(__always)
  mutating func write(text: Span<UInt8>, head: Span<UInt8>, to buffer: inout ByteBuffer) {
    defer { number += 1 }
    guard number > lastSeen else { return }
    switch framing {
    case .serverSentEvents:
      buffer.append(fixed: Self.textEventBegin)
      buffer.append(decimal: number)
      buffer.append(head, "", text, Self.textEventEnd)
    case .webSocket:
      let number = number
      buffer.appendTextFrame {
        $0.append(fixed: Self.textBegin)
        $0.append(decimal: number)
        $0.append(head, "", text, Self.textEnd)
      }
    }
  }

  @inline(__always)
  private func frame(_ type: StaticString, _ buffer: inout ByteBuffer, _ fill: (inout ByteBuffer) -> Void) {
    switch framing {
    case .serverSentEvents:
      buffer.append(fixed: "event: ")
      buffer.append(fixed: type)
      buffer.append(fixed: "\ndata: ")
      fill(&buffer)
      buffer.append(fixed: "\n\n")
    case .webSocket: buffer.appendTextFrame(fill)
    }
  }

  @inline(__always)
  private static func appendHead(_ type: StaticString, _ number: Int, to buffer: inout ByteBuffer) {
    buffer.append(fixed: #"{"type":""#)
    buffer.append(fixed: type)
    buffer.append(fixed: #"","sequence_number":"#)
    buffer.append(decimal: number)
  }
}
