// What can be wrong with a request at the level of HTTP, with the status that says so.

/// A refusal by the HTTP layer. The body that goes with it is made by the gateway.
enum HTTPError: Error, Equatable, Sendable {
  /// Framing or syntax that is malformed or ambiguous; the connection is closed afterwards.
  case badRequest(String)
  case bodyTooLarge
  case uriTooLong
  case headTooLarge
  case expectationFailed
  case unsupportedTransferCoding
  case unsupportedVersion
  /// Head or body did not arrive in time.
  case requestTimeout
  /// The client left before its request was whole.
  case clientGone
  /// More connections than are allowed are open.
  case tooManyConnections(fromOneAddress: Bool)
  /// All requests together hold as much as is allowed.
  case tooMuchContent
  /// A handler returned without an answer.
  case noAnswer

  /// The status code (RFC 9110 §15).
  var status: Int {
    switch self {
    case .badRequest, .clientGone: 400
    case .requestTimeout: 408
    case .noAnswer: 500
    case .bodyTooLarge: 413
    case .uriTooLong: 414
    case .expectationFailed: 417
    case .headTooLarge: 431
    case .unsupportedTransferCoding: 501
    case .tooManyConnections, .tooMuchContent: 503
    case .unsupportedVersion: 505
    }
  }

  var message: String {
    switch self {
    case .badRequest(let reason): "The request is malformed: \(reason)."
    case .clientGone: "The client left before its request was complete."
    case .tooManyConnections(let fromOneAddress):
      fromOneAddress ? "Too many connections from this address are open." : "Too many connections are open."
    case .tooMuchContent: "The requests under way hold too much content; try again."
    case .noAnswer: "The server failed to answer."
    case .requestTimeout: "The request did not arrive in time."
    case .bodyTooLarge: "The request body is too large."
    case .uriTooLong: "The request target is too long."
    case .expectationFailed: "The only expectation that can be met is 100-continue."
    case .headTooLarge: "The request's header fields are too many or too long."
    case .unsupportedTransferCoding: "The only transfer coding understood is chunked."
    case .unsupportedVersion: "The HTTP versions understood are 1.0 and 1.1."
    }
  }
}
