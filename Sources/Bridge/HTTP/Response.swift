// Responses as values, and their bytes. No I/O.

import Glibc

/// A complete response.
struct Response: Sendable {
  var status: Int
  var fields: [(name: String, value: String)]
  var body: [UInt8]

  init(status: Int = 200, fields: [(name: String, value: String)] = [], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }

  /// A JSON body.
  static func json(
    _ value: JSONValue,
    status: Int = 200,
    fields: [(name: String, value: String)] = []
  ) -> Response {
    Response(status: status, fields: [("Content-Type", "application/json")] + fields, body: value.jsonBytes)
  }
}

/// Response heads as bytes (RFC 9112 §4 and §6).
enum ResponseEncoder {
  /// How the end of the body is told.
  enum Framing {
    case length(Int)
    case chunked
    /// By closing the connection, for HTTP/1.0 clients.
    case close
    /// There is no body, by status (RFC 9110 §6.4.1).
    case none
  }

  static func appendHead(
    to buffer: inout ByteBuffer,
    status: Int,
    requestID: String,
    fields: [[(name: String, value: String)]],
    framing: Framing,
    keepsAlive: Bool,
    date: String
  ) {
    if status == 200 {
      buffer.append("HTTP/1.1 200 OK\r\nDate: ")
    } else {
      buffer.append("HTTP/1.1 \(status) \(reason(status))\r\nDate: ")
    }
    buffer.append(date)
    buffer.append("\r\nx-request-id: ")
    // Our own, or one that `RandomID.isSane` has let in.
    buffer.append(requestID)
    for list in fields {
      for field in list {
        buffer.append("\r\n")
        buffer.append(field.name)
        buffer.append(": ")
        buffer.append(headerSafe: field.value)
      }
    }
    switch framing {
    case .length(let length):
      buffer.append("\r\nContent-Length: ")
      buffer.append(String(length))
    case .chunked: buffer.append("\r\nTransfer-Encoding: chunked")
    case .close, .none: break
    }
    buffer.append(keepsAlive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
  }

  private static func reason(_ status: Int) -> String {
    switch status {
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
  /// Appends a field value; bytes that could end the field become spaces, whatever the caller meant.
  mutating func append(headerSafe value: String) {
    if value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) {
      append(value)
    } else {
      for byte in value.utf8 { append(byte >= 0x20 && byte != 0x7F ? byte : 0x20) }
    }
  }
}

/// The Date field, rendered once a second (RFC 9110 §5.6.7).
@LoopActor
enum HTTPDate {
  private static var renderedAt = -1
  private static var text = ""

  static var now: String {
    let seconds = unixTime()
    if seconds != renderedAt {
      renderedAt = seconds
      text = format(seconds)
    }
    return text
  }

  nonisolated static func format(_ seconds: Int) -> String {
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
