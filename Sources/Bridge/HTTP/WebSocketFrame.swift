// The words of the WebSocket protocol: kinds of frames, and why a socket is closed. The frames that this side sends.

/// What a frame is (RFC 6455 §5.2). The values that are missing are reserved.
enum WebSocketOpcode: UInt8, Sendable {
  case continuation = 0
  case text = 1
  case binary = 2
  case close = 8
  case ping = 9
  case pong = 10

  var isControl: Bool { rawValue >= 8 }
}

/// Why a socket is closed (RFC 6455 §7.4, and IANA's registry).
struct WebSocketCloseCode: Equatable, Sendable, CustomStringConvertible {
  let value: UInt16

  init(_ value: UInt16) { self.value = value }

  static let normal = WebSocketCloseCode(1000)
  static let goingAway = WebSocketCloseCode(1001)
  static let protocolError = WebSocketCloseCode(1002)
  static let unsupportedData = WebSocketCloseCode(1003)
  /// The peer gave none. Never sent.
  static let none = WebSocketCloseCode(1005)
  /// The connection ended without a close frame. Never sent.
  static let abnormal = WebSocketCloseCode(1006)
  static let invalidText = WebSocketCloseCode(1007)
  static let policyViolation = WebSocketCloseCode(1008)
  static let messageTooBig = WebSocketCloseCode(1009)
  static let internalError = WebSocketCloseCode(1011)
  static let tryAgainLater = WebSocketCloseCode(1013)

  /// Whether it may stand in a close frame: those of the protocol and its registry, those of libraries, and private ones.
  var maySend: Bool {
    switch value {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }

  var description: String { String(value) }
}

/// Why a socket cannot be read any further.
struct WebSocketFailure: Error, Equatable, Sendable {
  /// What its peer is told.
  let code: WebSocketCloseCode
  let reason: String

  static func protocolError(_ reason: String) -> WebSocketFailure {
    WebSocketFailure(code: .protocolError, reason: reason)
  }
}

/// What a control frame may contain (RFC 6455 §5.5).
enum WebSocketControl {
  static let maxBytes = 125
}

extension ByteBuffer {
  /// Appends a control frame with at most `WebSocketControl.maxBytes` of content; the rest of a longer one is left out.
  mutating func appendControlFrame(_ opcode: WebSocketOpcode, _ content: [UInt8] = []) {
    let content = content.prefix(WebSocketControl.maxBytes)
    append(0x80 | opcode.rawValue)
    append(UInt8(truncatingIfNeeded: content.count))
    append(Array(content))
  }

  /// Appends a close frame; without a code that may be sent it says nothing. A reason that is too long is cut at a character.
  mutating func appendCloseFrame(_ code: WebSocketCloseCode, _ reason: String) {
    guard code.maySend else { return appendControlFrame(.close) }
    var reason = reason
    while reason.utf8.count > WebSocketControl.maxBytes - 2 { reason.removeLast() }
    let bytes = [UInt8(truncatingIfNeeded: code.value >> 8), UInt8(truncatingIfNeeded: code.value)]
    appendControlFrame(.close, bytes + Array(reason.utf8))
  }
}
