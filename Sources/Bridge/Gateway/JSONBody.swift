// The body of a request as JSON, with the errors of every stage in the contract's shape.

enum JSONBody {
  /// Reads the whole body and parses it, whatever its Content-Type says: `curl -d` calls JSON a form.
  @LoopActor
  static func read(_ request: Request) async throws(APIError) -> JSONValue {
    let bytes: [UInt8]
    do throws(HTTPError) {
      bytes = try await request.body.collect()
    } catch {
      throw APIError(error)
    }
    do throws(JSONError) {
      return try JSONValue(parsing: bytes)
    } catch {
      throw .invalid("The request body is not valid JSON: \(error).")
    }
  }
}
