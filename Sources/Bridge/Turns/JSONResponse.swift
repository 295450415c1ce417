// Responses with a JSON body. The HTTP layer sends bytes and knows no JSON.

extension Response {
  /// A response with a JSON body.
  static func json(
    _ value: JSONValue,
    status: Int = 200,
    fields: ResponseFields = [:]
  ) -> Response {
    Response(status: status, fields: jsonType.appending(fields), body: value.jsonBytes)
  }

  /// A response with a body that is JSON already.
  static func json(_ bytes: [UInt8], fields: ResponseFields = [:]) -> Response {
    Response(fields: jsonType.appending(fields), body: bytes)
  }

  private static let jsonType: ResponseFields = ["Content-Type": "application/json"]
}
