// The request that turns a connection into a WebSocket: what it must say, and the fields of the answer.

/// A request for a WebSocket that can be answered with 101 (RFC 6455 §4.2). Extensions and subprotocols that it offers are
/// not taken.
struct WebSocketHandshake: Sendable {
  /// Why a request gets no WebSocket. The layers above make their error of it.
  struct Refusal: Error, Equatable, Sendable {
    /// 400 or 426.
    let status: Int
    let message: String
    /// Whether the answer must name what would be accepted: `requirements`.
    var needsUpgrade: Bool { status == 426 }
  }

  /// Fields of an answer with the status 426 (RFC 9110 §15.5.22, RFC 6455 §4.4).
  static let requirements: ResponseFields = [
    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": version,
  ]

  private static let version = "13"
  /// What is hashed behind the client's key (RFC 6455 §1.3).
  private static let identifier = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

  /// The value of `Sec-WebSocket-Accept`.
  let accept: String

  /// The fields of the answer.
  var fields: ResponseFields { ["Upgrade": "websocket", "Sec-WebSocket-Accept": accept] }

  /// Whether a request asks for a WebSocket, be it well or badly.
  static func isAsked(by head: borrowing RequestHead) -> Bool {
    head.fields.contains("upgrade", token: "websocket")
  }

  init(_ head: borrowing RequestHead) throws(Refusal) {
    guard Self.isAsked(by: head) else {
      throw Refusal(status: 426, message: "This address speaks WebSocket: the field Upgrade must say websocket.")
    }
    guard head.method == "GET", head.minorVersion == 1, head.framing == .none else {
      throw Self.malformed("it must be a GET of HTTP/1.1 without a body")
    }
    guard head.fields.contains("connection", token: "upgrade") else {
      throw Self.malformed("the field Connection must say Upgrade")
    }
    guard head.fields.values("sec-websocket-version") == [Self.version] else {
      throw Refusal(status: 426, message: "The version of WebSocket that is understood is \(Self.version).")
    }
    let keys = head.fields.values("sec-websocket-key")
    guard keys.count == 1, let key = keys.first, Base64.decodeCanonical(key.utf8.span)?.count == 16 else {
      throw Self.malformed("Sec-WebSocket-Key must be sixteen bytes in base64, once")
    }
    accept = Base64.encode(SHA1Digest.bytes(of: key + Self.identifier))
  }

  private static func malformed(_ reason: String) -> Refusal {
    Refusal(status: 400, message: "The request for a WebSocket is malformed: \(reason).")
  }
}
