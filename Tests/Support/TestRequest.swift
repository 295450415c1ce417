// A request for parts that look at requests and not at what they came over.

@testable import Bridge

extension Request {
  /// A GET that came over no connection.
  static func test(_ id: String, fields: HeaderFields = HeaderFields(), path: String = "/") -> Request {
    let head = RequestHead(
      method: "GET", path: path, query: nil, host: "localhost", minorVersion: 1, fields: fields,
      framing: .none, expectsContinue: false, wantsKeepAlive: true, claimedID: nil)
    return Request(head: head, body: nil, id: id, peer: nil, receivedAt: Loop.now)
  }
}
