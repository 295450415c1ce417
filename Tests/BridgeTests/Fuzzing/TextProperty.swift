// Small readers. The first byte of an input chooses one, the rest is its text.

@testable import Bridge

enum TextProperty {
  static func check(_ bytes: [UInt8]) throws(Violation) {
    guard let kind = bytes.first else { return }
    let rest = Array(bytes.dropFirst())
    let text = String(decoding: rest, as: UTF8.self)
    switch kind {
    case UInt8(ascii: "e"): try checkDotEnv(text)
    case UInt8(ascii: "p"): try checkPath(text)
    case UInt8(ascii: "i"): try checkImage(rest)
    case UInt8(ascii: "a"): try checkAddress(rest)
    case UInt8(ascii: "n"): try checkNames(text)
    case UInt8(ascii: "s"): try checkStops(text)
    default: break
    }
  }

  private static func checkDotEnv(_ text: String) throws(Violation) {
    for name in DotEnv(Array(text.utf8)).values.keys {
      try require(!name.isEmpty && name.unicodeScalars.allSatisfy(\.isASCII), "the name “\(name)”")
    }
  }

  private static func checkPath(_ text: String) throws(Violation) {
    for segment in Router.segments(text) ?? [] { try require(!segment.isEmpty, "an empty segment") }
    let encoded = text.utf8.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "%0\(digits)" : "%\(digits)"
    }
    try require(Router.percentDecoded(Substring(encoded.joined())) == text, "an escaped text that reads otherwise")
  }

  private static func checkImage(_ bytes: [UInt8]) throws(Violation) {
    guard let format = ImageFormat(sniffing: bytes) else { return }
    if let defect = format.defect(in: bytes) { try require(!defect.isEmpty, "damaged without a word") }
    // What is whole is damaged when it is cut short.
    guard format == .png, format.defect(in: bytes) == nil else { return }
    try require(format.defect(in: Array(bytes.prefix(bytes.count / 2))) != nil, "half an image passes for a whole")
  }

  /// An IPv4 address is as public as the IPv6 address that carries it.
  private static func checkAddress(_ bytes: [UInt8]) throws(Violation) {
    let isPublic = AddressPolicy.isPublic(bytes)
    try require(!isPublic || bytes.count == 4 || bytes.count == 16, "an address of \(bytes.count) bytes")
    guard bytes.count == 4 else { return }
    let carriers: [[UInt8]] = [
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] + bytes,
      [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0] + bytes,
      [0x20, 0x02] + bytes + [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ]
    for carrier in carriers {
      try require(AddressPolicy.isPublic(carrier) == isPublic, "\(carrier) is told from what it carries")
    }
  }

  private static func checkNames(_ text: String) throws(Violation) {
    _ = CodexVersion(in: text)
    if RandomID.isValid(text) {
      try require(text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a request id that breaks a header")
    }
    if let id = try? SessionID.checked(text, field: "f") {
      try require(id.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a session id that breaks a header")
    }
    try require(EscapedText(text).text == text, "escaped text that reads otherwise")
    _ = SessionPrompt.checksum(of: text)
  }

  /// Lines: stop sequences, and after an empty one the text, which comes in characters as well as at once.
  private static func checkStops(_ text: String) throws(Violation) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let stops = Array(lines.prefix { !$0.isEmpty }.prefix(4))
    let answer = lines.dropFirst(stops.count + 1).joined(separator: "\n")
    var filter = StopFilter(stops)
    var shown = ""
    for character in answer { shown += filter.feed(EscapedText(String(character))).text }
    shown += filter.finish().text
    let gathered = ChatWholeAnswer(
      ChatObjects(identity: AnswerIdentity(id: "i", created: 1, model: "m"), includesUsage: false),
      stops: stops, shown: AnswerParagraphs.Shown(tools: true))
    _ = gathered.take(EscapedText(answer), .answer)
    try require(shown == gathered.content, "“\(shown)” in pieces, “\(gathered.content)” at once")
  }
}
