// Frames of a client: what is read, what is refused and with which code, however the bytes are cut.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct WebSocketParserTests {
  struct Sample: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    /// What is read, in words: the leak checker does not find what a constant holds in such a part.
    let parts: [String]

    var testDescription: String { name }
  }

  private static let limit = 70_000

  private static func message(_ text: String) -> String { "message \(text)" }

  private static func words(_ parts: [WebSocketPart]) -> [String] {
    parts.map { part in
      switch part {
      case .needMore: "more"
      case .message(let text): message(String(decoding: text, as: UTF8.self))
      case .ping(let content): "ping \(content)"
      case .pong: "pong"
      case .close(let code): "close \(code)"
      case .failure(let failure): "failure \(failure.code)"
      }
    }
  }

  private static func failure(_ code: WebSocketCloseCode, _ name: String, _ bytes: [UInt8]) -> (Sample, UInt16) {
    (Sample(name: name, bytes: bytes, parts: []), code.value)
  }

  private func parse(_ bytes: [UInt8], limit: Int = limit) -> ParsedFrames {
    ParsedFrames([bytes[...]], maxMessageBytes: limit)
  }

  // MARK: What is read

  private static let accepted: [Sample] = {
    let long = String(repeating: "a", count: 126)
    let longer = String(repeating: "b", count: 0x1_0000)
    return [
      Sample(name: "empty", bytes: ClientFrame.text(""), parts: [message("")]),
      Sample(name: "short", bytes: ClientFrame.text("Hello"), parts: [message("Hello")]),
      Sample(
        name: "unmasked by zeros", bytes: ClientFrame.make(1, Array("Hi".utf8), mask: [0, 0, 0, 0]),
        parts: [message("Hi")]),
      Sample(name: "two bytes of length", bytes: ClientFrame.text(long), parts: [message(long)]),
      Sample(name: "eight bytes of length", bytes: ClientFrame.text(longer), parts: [message(longer)]),
      Sample(
        name: "several", bytes: ClientFrame.text("a") + ClientFrame.text("b"), parts: [message("a"), message("b")]),
      Sample(
        name: "fragments",
        bytes: ClientFrame.text("He", isFinal: false) + ClientFrame.continuation("", isFinal: false)
          + ClientFrame.continuation("llo"), parts: [message("Hello")]),
      Sample(
        name: "a character in two fragments",
        bytes: ClientFrame.make(1, [0xE2, 0x82], isFinal: false) + ClientFrame.make(0, [0xAC]),
        parts: [message("€")]),
      Sample(
        name: "control frames between fragments",
        bytes: ClientFrame.text("a", isFinal: false) + ClientFrame.ping("p") + ClientFrame.pong("q")
          + ClientFrame.continuation("b"), parts: ["ping [112]", "pong", message("ab")]),
      Sample(
        name: "the longest ping", bytes: ClientFrame.make(9, [UInt8](repeating: 0xFF, count: 125)),
        parts: ["ping \([UInt8](repeating: 0xFF, count: 125))"]),
      Sample(name: "close without a code", bytes: ClientFrame.close(), parts: ["close 1005"]),
      Sample(name: "close with a text", bytes: ClientFrame.close(1000, "bye"), parts: ["close 1000"]),
      Sample(
        name: "nothing after close", bytes: ClientFrame.close(1001) + ClientFrame.text("a") + [0xFF, 0xFF],
        parts: ["close 1001"]),
      Sample(
        name: "close inside of a message", bytes: ClientFrame.text("a", isFinal: false) + ClientFrame.close(1000),
        parts: ["close 1000"]),
    ]
  }()

  @Test(arguments: accepted)
  func isRead(_ sample: Sample) {
    #expect(Self.words(parse(sample.bytes).parts) == sample.parts)
  }

  @Test(arguments: accepted)
  func isReadTheSameHoweverItIsCut(_ sample: Sample) {
    let whole = parse(sample.bytes)
    for pieces in Self.cuts(sample.bytes) {
      #expect(ParsedFrames(pieces, maxMessageBytes: Self.limit) == whole)
    }
  }

  /// Once at every position and into single bytes; of a long sample only around the ends.
  private static func cuts(_ bytes: [UInt8]) -> [[ArraySlice<UInt8>]] {
    if bytes.count < 300 { return ParsedRequest.cuts(bytes) }
    let places = Array(1..<20) + [4099, bytes.count - 3, bytes.count - 2, bytes.count - 1]
    return places.map { [bytes[..<$0], bytes[$0...]] } + [bytes.indices.map { bytes[$0...$0] }]
  }

  /// The content is unmasked in pieces of eight bytes, and a cut may be at any byte of the key.
  @Test func everyCutMeetsTheRightByteOfTheMask() {
    let text = String(decoding: (0..<40).map { UInt8(0x30 + $0) }, as: UTF8.self)
    let bytes = ClientFrame.text(text)
    for first in 6..<bytes.count {
      for second in first..<bytes.count {
        let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]]
        #expect(Self.words(ParsedFrames(pieces, maxMessageBytes: 100).parts) == [Self.message(text)])
      }
    }
  }

  @Test(arguments: [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ])
  func aCodeThatMayBeSentIsRead(_ code: UInt16) {
    #expect(parse(ClientFrame.close(code)).parts == [.close(WebSocketCloseCode(code))])
  }

  // MARK: What is refused

  private static let refused: [(Sample, UInt16)] = {
    let invalid: [[UInt8]] = [
      [0x80], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
    ]
    let codes: [UInt16] = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
    return [
      failure(.protocolError, "unmasked", ClientFrame.make(1, [0x61], mask: nil)),
      failure(.protocolError, "RSV1", ClientFrame.make(1, [], reserved: 0x40)),
      failure(.protocolError, "RSV2", ClientFrame.make(1, [], reserved: 0x20)),
      failure(.protocolError, "RSV3 of a control frame", ClientFrame.make(9, [], reserved: 0x10)),
      failure(.protocolError, "a fragmented ping", ClientFrame.make(9, [], isFinal: false)),
      failure(.protocolError, "a fragmented pong", ClientFrame.make(10, [], isFinal: false)),
      failure(.protocolError, "a fragmented close", ClientFrame.make(8, [], isFinal: false)),
      failure(.protocolError, "a long ping", ClientFrame.make(9, [UInt8](repeating: 0, count: 126))),
      failure(.protocolError, "a long close", ClientFrame.make(8, [], length: .eight, claiming: 70_000)),
      failure(.protocolError, "a continuation of nothing", ClientFrame.continuation("a")),
      failure(
        .protocolError, "a continuation of a whole message", ClientFrame.text("a") + ClientFrame.continuation("b")),
      failure(
        .protocolError, "text inside of text", ClientFrame.text("a", isFinal: false) + ClientFrame.text("b")),
      failure(
        .protocolError, "binary inside of text", ClientFrame.text("a", isFinal: false) + ClientFrame.make(2, [])),
      failure(.protocolError, "a short length in two bytes", ClientFrame.make(1, [0x61], length: .two)),
      failure(.protocolError, "125 in two bytes", ClientFrame.make(1, [], length: .two, claiming: 125)),
      failure(.protocolError, "65535 in eight bytes", ClientFrame.make(1, [], length: .eight, claiming: 0xFFFF)),
      failure(.protocolError, "the highest bit of a length", [0x81, 0xFF, 0x80]),
      failure(.protocolError, "half a code", ClientFrame.make(8, [3])),
      failure(.unsupportedData, "binary", ClientFrame.make(2, [0x61])),
      failure(.unsupportedData, "fragmented binary", ClientFrame.make(2, [0x61], isFinal: false)),
      failure(.invalidText, "a reason that is no text", ClientFrame.make(8, [3, 0xE8, 0xFF])),
      failure(.messageTooBig, "too large", ClientFrame.make(1, [], claiming: limit + 1)),
      failure(
        .messageTooBig, "the largest length there is", [0x81, 0xFF, 0x7F] + [UInt8](repeating: 0xFF, count: 7)),
      failure(
        .messageTooBig, "too large together",
        ClientFrame.text("a", isFinal: false) + ClientFrame.make(0, [], claiming: limit)),
    ]
      + [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map {
        failure(.protocolError, "the reserved opcode \($0)", ClientFrame.make($0, []))
      }
      + invalid.map { failure(.invalidText, "\($0)", ClientFrame.make(1, $0)) }
      + codes.map { failure(.protocolError, "the code \($0)", ClientFrame.close($0)) }
  }()

  @Test(arguments: refused)
  func isRefused(_ sample: Sample, with code: UInt16) {
    // Nothing that follows changes it.
    for bytes in [sample.bytes, sample.bytes + ClientFrame.text("more")] {
      guard case .failure(let failure)? = parse(bytes).parts.last else {
        Issue.record("not refused: \(parse(bytes).parts)")
        continue
      }
      #expect(failure.code.value == code)
      #expect(!failure.reason.isEmpty && failure.reason.utf8.count <= 123)
    }
  }

  @Test(arguments: refused)
  func isRefusedTheSameHoweverItIsCut(_ sample: Sample, with _: UInt16) {
    let whole = parse(sample.bytes)
    for pieces in ParsedRequest.cuts(sample.bytes) {
      #expect(ParsedFrames(pieces, maxMessageBytes: Self.limit) == whole)
    }
  }

  /// The sender may wait for an answer before it goes on.
  @Test func isRefusedAtTheByteThatDecides() {
    #expect(parse([0x82]).parts.count == 1)
    #expect(parse([0x81, 0x05]).parts.count == 1)
    #expect(parse([0x89, 0xFE]).parts.count == 1)
    #expect(parse([0x81, 0xFE, 0, 125]).parts.count == 1)
    #expect(parse(Array(ClientFrame.make(1, [], claiming: Self.limit + 1).prefix(10))).parts.count == 1)
  }

  @Test func aMessageOfTheLimitIsRead() {
    let text = String(repeating: "x", count: 1000)
    #expect(Self.words(parse(ClientFrame.text(text), limit: 1000).parts) == [Self.message(text)])
    guard case .failure(let failure)? = parse(ClientFrame.text(text), limit: 999).parts.last else {
      Issue.record("not refused")
      return
    }
    #expect(failure.code == .messageTooBig)
  }

  @Test func aClaimedLengthTakesNoMemory() {
    var parser = WebSocketParser(maxMessageBytes: 1 << 40)
    let head = ClientFrame.make(1, Array("abc".utf8), claiming: 1 << 39)
    var offset = 0
    #expect(parser.next(head.span, &offset) == .needMore)
    #expect(parser.messageBytes == 3 && parser.isInsideMessage)
  }

  @Test func droppedMessagesAreNotHeldAndControlFramesAreRead() {
    var parser = WebSocketParser(maxMessageBytes: 100)
    let bytes = ClientFrame.text("abc", isFinal: false)
    let more = ClientFrame.continuation("def") + ClientFrame.close(1000)
    var offset = 0
    #expect(parser.next(bytes.span, &offset) == .needMore)
    parser.dropMessages()
    #expect(parser.messageBytes == 0)
    offset = 0
    #expect(parser.next(more.span, &offset) == .message([]))
    #expect(parser.next(more.span, &offset) == .close(.normal))
  }
}
