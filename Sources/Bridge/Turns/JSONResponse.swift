// Answers as JSON. The HTTP layer below sends bytes and knows nothing of what they mean.

extension Response {
  /// A response with a JSON body.
  static func json(
    _ value: JSONValue,
    status: Int = 200,
    fields: ResponseFields = [:]
  ) -> Response {
    Response(status: status, fields: jsonType.appending(fields), body: value.jsonBytes)
  }

  private static let jsonType: ResponseFields = ["Content-Type": "application/json"]
}
