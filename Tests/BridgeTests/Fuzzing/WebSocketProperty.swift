// Frames of a WebSocket: read the same however they are cut, or refused once and for all with a code that may be sent.

@testable import Bridge

/// Everything a parser says about its input.
struct ParsedFrames: Equatable {
  var parts: [WebSocketPart] = []
  var isInsideMessage = false

  /// Feeds `pieces` one after the other to a new parser, up to its first failure.
  init(_ pieces: [ArraySlice<UInt8>], maxMessageBytes: Int) {
    var parser = WebSocketParser(maxMessageBytes: maxMessageBytes)
    for piece in pieces {
      var offset = 0
      let bytes = Array(piece)
      reading: while true {
        let part = parser.next(bytes.span, &offset)
        if part == .needMore { break reading }
        parts.append(part)
        if case .failure = part { return }
      }
    }
    isInsideMessage = parser.isInsideMessage
  }
}

enum WebSocketProperty {
  private static let maxMessageBytes = 300
  private static let codes: Set<UInt16> = [1002, 1003, 1007, 1009]

  static func check(_ bytes: [UInt8]) throws(Violation) {
    let whole = ParsedFrames([bytes[...]], maxMessageBytes: maxMessageBytes)
    let pieces = bytes.count <= 256 ? bytes.indices.map { bytes[$0...$0] } : bytes.randomPieces()
    try require(ParsedFrames(pieces, maxMessageBytes: maxMessageBytes) == whole, "read otherwise when cut")
    try checkParts(bytes)
    try checkWritten(bytes)
  }

  private static func checkParts(_ bytes: [UInt8]) throws(Violation) {
    var parser = WebSocketParser(maxMessageBytes: maxMessageBytes)
    var offset = 0
    var hasClosed = false
    while true {
      let part = parser.next(bytes.span, &offset)
      try require(parser.messageBytes <= min(maxMessageBytes, offset), "more is held than has come")
      try require(part == .needMore || !hasClosed, "went on after the last frame")
      switch part {
      case .needMore: return try require(offset == bytes.count, "asks for more with bytes left")
      case .message(let text):
        try require(text.count <= maxMessageBytes, "a message of \(text.count) bytes")
        try require(String(validating: text, as: UTF8.self) != nil, "a message that is not UTF-8")
      case .ping(let content): try require(content.count <= 125, "a ping of \(content.count) bytes")
      case .pong: continue
      case .close(let code):
        hasClosed = true
        try require(code == .none || code.maySend, "closed with \(code)")
      case .failure(let failure): return try checkRefusal(failure, &parser)
      }
    }
  }

  private static func checkRefusal(_ failure: WebSocketFailure, _ parser: inout WebSocketParser) throws(Violation)
  {
    try require(codes.contains(failure.code.value), "refused with \(failure.code)")
    try require((1...123).contains(failure.reason.utf8.count), "a reason that does not fit")
    try require(parser.messageBytes == 0, "a message is held after a refusal")
    let sound: [UInt8] = [0x81, 0x80, 0, 0, 0, 0]
    for _ in 0..<2 {
      var offset = 0
      guard case .failure(failure) = parser.next(sound.span, &offset) else {
        throw Violation(description: "went on after a refusal")
      }
    }
  }

  /// What this side writes is a frame that says how long it is.
  private static func checkWritten(_ bytes: [UInt8]) throws(Violation) {
    var buffer = ByteBuffer()
    buffer.append(UInt8(ascii: "x"))
    buffer.appendTextFrame { $0.append(bytes) }
    let written = buffer.array().dropFirst()
    guard !bytes.isEmpty else { return try require(written.isEmpty, "a frame of nothing") }
    let head: [UInt8] =
      bytes.count < 126
      ? [0x81, UInt8(bytes.count)] : [0x81, 126, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)]
    guard bytes.count <= 0xFFFF else { return }
    try require(written.elementsEqual(head + bytes), "written otherwise")
  }
}
