// Requests: read the same however they are cut, or refused once and for all with an error that has a status.

@testable import Bridge

enum RequestProperty {
  /// What a parser may answer; the other errors belong to the connection and its handlers.
  private static let statuses: Set<Int> = [400, 414, 417, 431, 501, 505]
  private static let sound = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)

  static func check(_ bytes: [UInt8]) throws(Violation) {
    let whole = ParsedRequest(bytes)
    // Long inputs byte by byte would take most of the time, and say little that short ones do not.
    let pieces = bytes.count <= 256 ? bytes.indices.map { bytes[$0...$0] } : bytes.randomPieces()
    try require(ParsedRequest(pieces) == whole, "read otherwise when cut")
    try checkParts(bytes)
  }

  private static func checkParts(_ bytes: [UInt8]) throws(Violation) {
    var parser = RequestParser()
    var offset = 0
    var missing: Int?
    while true {
      let before = offset
      switch parser.next(bytes.span, &offset) {
      case .needMore: return try require(offset == bytes.count, "asks for more with bytes left")
      case .head(let head):
        try check(head)
        if case .length(let length) = head.framing { missing = length } else { missing = nil }
        if case .none = head.framing { missing = 0 }
      case .body(let range):
        try require(
          !range.isEmpty && range.lowerBound >= before && range.upperBound <= offset, "a body out of place")
        missing = missing.map { $0 - range.count }
        try require(missing.map { $0 >= 0 } ?? true, "a body longer than its length")
      case .end: try require(missing == nil || missing == 0, "a body shorter than its length")
      case .failure(let error): return try checkRefusal(error, &parser)
      }
    }
  }

  private static func checkRefusal(_ error: HTTPError, _ parser: inout RequestParser) throws(Violation) {
    try require(statuses.contains(error.status), "refused with \(error.status)")
    try require(!error.message.isEmpty, "refused without a word")
    for _ in 0..<2 {
      var offset = 0
      guard case .failure(error) = parser.next(sound.span, &offset) else {
        throw Violation(description: "went on after a refusal")
      }
    }
  }

  private static func check(_ head: RequestHead) throws(Violation) {
    try require(head.fields.lines.count <= RequestParser.Limit.fieldCount, "too many fields")
    try require(
      !head.method.isEmpty && head.method.utf8.allSatisfy(HeadSyntax.isToken), "a method that is no token")
    // By bytes: what follows the slash may be one character with it.
    try require(head.path.utf8.first == UInt8(ascii: "/") || head.path == "*", "a path that is none")
    for (name, value) in head.fields.all {
      try require(!name.isEmpty && name.utf8.allSatisfy(HeadSyntax.isToken), "a name that is no token")
      try require(value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }, "a control byte in a value")
    }
    try require(head.minorVersion == 0 || head.fields.values("host").count == 1, "not exactly one Host")
    let lengths = head.fields.values("content-length")
    let codings = head.fields.values("transfer-encoding")
    try require(lengths.count + codings.count <= 1, "two framings")
    if case .length(let length) = head.framing { try require(length > 0, "a length that is none") }
    _ = Router.segments(head.path)
  }
}
