// The OpenAI error object, and the fields of a response's head that belong to it.

/// An error as an OpenAI client expects it.
struct APIError: Error, Sendable, Equatable {
  var status: Int
  var type = "invalid_request_error"
  var code: String?
  var param: String?
  var message: String
  /// Seconds until the request may be repeated with a chance of success.
  var retryAfter: Int?
  /// Whether clients may repeat the request by themselves; nil leaves it to the status. OpenAI's SDKs honour it.
  var mayRetry: Bool?

  /// A request that can never succeed as it is.
  static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
    APIError(status: 400, code: code, param: param, message: message)
  }

  /// `{"error":{…}}` with all four keys.
  var body: JSONValue {
    [
      "error": [
        "message": .string(message), "type": .string(type), "param": .text(param), "code": .text(code),
      ]
    ]
  }
}
