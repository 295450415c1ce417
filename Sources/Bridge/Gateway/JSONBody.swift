// The body of a request as JSON, with the errors of every stage in the contract's shape.

enum JSONBody {
  /// A larger body is parsed beside the loop, which it would hold up for a millisecond or more.
  private static let offLoopBytes = 128 << 10

  /// Reads the whole body and parses it, whatever its Content-Type says: `curl -d` calls JSON a form.
  @LoopActor
  static func read(_ request: Request) async throws(APIError) -> JSONValue {
    if let encoding = request.head.fields["content-encoding"], !["", "identity"].contains(encoding.lowercased()) {
      throw .unsupportedEncoding(encoding)
    }
    let bytes: [UInt8]
    do throws(HTTPError) {
      bytes = try await request.collectBody()
    } catch {
      throw APIError(error)
    }
    do throws(JSONError) {
      guard bytes.count > offLoopBytes else { return try JSONValue(parsing: bytes) }
      return try await Loop.offLoop { JSONBody.parse(bytes) }.get()
    } catch {
      throw .invalid("The request body is not valid JSON: \(error).")
    }
  }

  private static func parse(_ bytes: [UInt8]) -> Result<JSONValue, JSONError> {
    do throws(JSONError) {
      return .success(try JSONValue(parsing: bytes))
    } catch {
      return .failure(error)
    }
  }
}
