// What a request parser made of its input, in a form that tests can compare and people can read.

@testable import Bridge

/// A part of a request, with neighbouring body pieces joined: where input was cut must not be seen.
enum ParsedPart: Equatable, Sendable {
  case head(String)
  case body([UInt8])
  case end
  case failure(HTTPError)
}

/// Everything a parser says about its input.
struct ParsedRequest: Equatable, Sendable {
  var parts: [ParsedPart] = []
  var isInsideHead = false

  /// Feeds `pieces` one after the other to a new parser, up to its first failure.
  init(_ pieces: [ArraySlice<UInt8>]) {
    var parser = RequestParser()
    for piece in pieces {
      var offset = 0
      let bytes = Array(piece)
      reading: while true {
        switch parser.next(bytes.span, &offset) {
        case .needMore:
          break reading
        case .head(let head): parts.append(.head(Self.summary(head)))
        case .body(let range): append(bytes[range])
        case .end: parts.append(.end)
        case .failure(let error):
          parts.append(.failure(error))
          return
        }
      }
    }
    isInsideHead = parser.isInsideHead
  }

  init(_ bytes: [UInt8]) { self.init([bytes[...]]) }
  init(_ text: String) { self.init(Array(text.utf8)) }

  /// The only failure, nil if there is none.
  var failure: HTTPError? {
    if case .failure(let error)? = parts.last { error } else { nil }
  }

  /// The whole body of the first request.
  var body: String {
    for part in parts { if case .body(let bytes) = part { return String(decoding: bytes, as: UTF8.self) } }
    return ""
  }

  var isComplete: Bool { parts.last == .end }

  private mutating func append(_ bytes: ArraySlice<UInt8>) {
    if case .body(let before)? = parts.last {
      parts[parts.count - 1] = .body(before + bytes)
    } else {
      parts.append(.body(Array(bytes)))
    }
  }

  /// One line with everything a head says: `POST /x?q host=a 1.1 length(5) keep continue`.
  static func summary(_ head: RequestHead) -> String {
    let query = head.query.map { "?\($0)" } ?? ""
    var text = "\(head.method) \(head.path)\(query) host=\(head.host ?? "none") 1.\(head.minorVersion)"
    text += " \(head.framing) \(head.wantsKeepAlive ? "keep" : "close")"
    return head.expectsContinue ? text + " continue" : text
  }

  /// The same bytes cut once at every position, and into single bytes.
  static func cuts(_ bytes: [UInt8]) -> [[ArraySlice<UInt8>]] {
    let halves = bytes.indices.dropFirst().map { [bytes[..<$0], bytes[$0...]] }
    return halves + [bytes.indices.map { bytes[$0...$0] }]
  }

  /// The head of a request that must be sound.
  static func head(_ text: String) throws -> RequestHead {
    var parser = RequestParser()
    var offset = 0
    let bytes = Array(text.utf8)
    guard case .head(let head) = parser.next(bytes.span, &offset) else {
      throw HTTPError.badRequest("the test's own head is refused")
    }
    return head
  }
}

extension HeaderFields {
  /// Names in lower case with their values, in their order.
  var all: [(name: String, value: String)] {
    lines.map { (text($0.name).lowercased(), text($0.value)) }
  }
}
