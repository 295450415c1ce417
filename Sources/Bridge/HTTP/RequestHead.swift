// The head of a request: what its first line and its header fields say, once they were checked.

/// The head of a request, checked.
struct RequestHead: Sendable {
  /// How the length of the body is known (RFC 9112 §6.3).
  enum Framing: Sendable, Equatable {
    case none
    case length(Int)
    case chunked
  }

  let method: String
  /// The path of the target, still percent-encoded, without the query.
  let path: String
  let query: String?
  /// The authority: the Host field, or the host of an absolute-form target.
  private(set) var host: String?
  /// 0 or 1: the minor version of HTTP/1.
  let minorVersion: Int
  private(set) var fields: HeaderFields
  let framing: Framing
  let expectsContinue: Bool
  /// Whether the client wants the connection kept (RFC 9112 §9.3).
  let wantsKeepAlive: Bool
  /// What the client calls the request: the value of its first `x-request-id`, whatever it is.
  let claimedID: String?

  /// Frees the fields, once nobody needs them any more.
  mutating func forgetFields() {
    fields = HeaderFields()
    host = nil
  }

  init(
    method: String, path: String, query: String?, host: String?, minorVersion: Int, fields: HeaderFields,
    framing: Framing, expectsContinue: Bool, wantsKeepAlive: Bool, claimedID: String?
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.host = host
    self.minorVersion = minorVersion
    self.fields = fields
    self.framing = framing
    self.expectsContinue = expectsContinue
    self.wantsKeepAlive = wantsKeepAlive
    self.claimedID = claimedID
  }
}
