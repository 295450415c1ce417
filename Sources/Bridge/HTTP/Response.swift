// Responses as values, and their bytes. No I/O.

import Glibc

/// Header fields of an answer as they are sent, so that those that never change are rendered once.
struct ResponseFields: Sendable, ExpressibleByDictionaryLiteral {
  /// Lines, each behind its line end.
  private(set) var bytes: [UInt8] = []

  init(dictionaryLiteral fields: (String, String)...) {
    for (name, value) in fields { append(name, value) }
  }

  var isEmpty: Bool { bytes.isEmpty }

  /// Bytes of a value that could end the field become spaces, whatever the caller meant.
  mutating func append(_ name: String, _ value: String) {
    bytes += "\r\n\(name): ".utf8
    bytes += value.utf8.lazy.map { $0 >= 0x20 && $0 != 0x7F ? $0 : 0x20 }
  }

  mutating func append(_ fields: ResponseFields) { bytes += fields.bytes }

  func appending(_ fields: ResponseFields) -> ResponseFields {
    if isEmpty { return fields }
    var all = self
    all.append(fields)
    return all
  }
}

/// A complete response.
struct Response: Sendable {
  var status: Int
  var fields: ResponseFields
  var body: [UInt8]

  init(status: Int = 200, fields: ResponseFields = [:], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }
}

/// Response heads as bytes (RFC 9112 §4 and §6).
enum ResponseEncoder {
  /// How the client learns where the body ends.
  enum Framing {
    case length(Int)
    case chunked
    /// By closing the connection, for HTTP/1.0 clients.
    case close
    /// There is no body, by status (RFC 9110 §6.4.1).
    case none
    /// Nor that: another protocol follows (RFC 9110 §7.8).
    case upgrade
  }

  /// What a head begins with: all before the value of its `x-request-id`.
  static func opening(status: Int, date: String) -> String {
    "HTTP/1.1 \(status) \(reason(status))\r\nDate: \(date)\r\nx-request-id: "
  }

  static func appendHead(
    to buffer: inout ByteBuffer,
    opening: String,
    requestID: String,
    fields: ResponseFields,
    framing: Framing,
    keepsAlive: Bool
  ) {
    buffer.append(opening)
    // Our own, or one that `RandomID.isValid` has let in.
    buffer.append(requestID)
    buffer.append(fields.bytes)
    switch framing {
    case .length(let length):
      buffer.append(fixed: "\r\nContent-Length: ")
      buffer.append(decimal: length)
    case .chunked: buffer.append(fixed: "\r\nTransfer-Encoding: chunked")
    case .upgrade: return buffer.append(fixed: "\r\nConnection: Upgrade\r\n\r\n")
    case .close, .none: break
    }
    buffer.append(fixed: keepsAlive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
  }

  private static func reason(_ status: Int) -> String {
    switch status {
    case 101: "Switching Protocols"
    case 200: "OK"
    case 204: "No Content"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 426: "Upgrade Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    // RFC 9112 §4: the phrase may be empty, and clients ignore it.
    default: ""
    }
  }
}

extension ByteBuffer {
  /// Appends the decimal digits of a number that is not negative.
  mutating func append(decimal number: Int) {
    if number > 9 { append(decimal: number / 10) }
    append(0x30 + UInt8(truncatingIfNeeded: number % 10))
  }
}

/// The beginning of a response head (status line and Date field), rendered once a second.
@LoopActor
enum CurrentOpening {
  private static var renderedAt = -1
  private static var date = ""
  private static var ok = ""

  static func text(status: Int) -> String {
    let seconds = unixTime()
    if seconds != renderedAt {
      renderedAt = seconds
      date = HTTPDate.format(seconds)
      ok = ResponseEncoder.opening(status: 200, date: date)
    }
    return status == 200 ? ok : ResponseEncoder.opening(status: status, date: date)
  }
}

/// The value of the Date field (RFC 9110 §5.6.7).
enum HTTPDate {
  static func format(_ seconds: Int) -> String {
    var seconds = seconds
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let two = { (value: Int32) in value < 10 ? "0\(value)" : String(value) }
    let date = "\(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(parts.tm_year + 1900)"
    return
      "\(days[Int(parts.tm_wday)]), \(date) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
  }
}
