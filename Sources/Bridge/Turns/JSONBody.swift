// The body of a request as JSON, with the errors of every stage in the contract's shape.

enum JSONBody {
  /// A larger body is read beside the loop, which it would hold up for a millisecond or more.
  private static let offLoopBytes = 128 << 10
  /// Nobody means to send more, and each is an allocation or two that has to be undone.
  private static let maxValues = 1_000_000
  /// Memory that the values of a body may take, in bytes for each of its own. With the body itself and what is made of
  /// it, a request takes ten times its bytes at most.
  private static let memoryFactor = 8
  /// What they may take however short the body is.
  private static let minMemory = 4 << 20

  private struct Parsed<T: Sendable>: Sendable {
    let result: Result<T, APIError>
    let memory: Int
  }

  /// Reads the whole body, parses it, whatever its Content-Type says (`curl -d` calls JSON a form), and decodes what is
  /// in it. Of a large one neither the values nor their end touch the loop.
  @LoopActor
  static func read<T: Sendable>(
    _ request: Request, as decode: @escaping @Sendable (JSONValue) throws(APIError) -> T
  ) async throws(APIError) -> T {
    if let encoding = request.head.fields["content-encoding"], !["", "identity"].contains(encoding.lowercased()) {
      throw .unsupportedEncoding(encoding)
    }
    let bytes: [UInt8]
    do throws(HTTPError) {
      bytes = try await request.collectBody()
    } catch {
      throw APIError(error)
    }
    let parsed: Parsed<T>
    if bytes.count > offLoopBytes {
      parsed = await HeavyWork.run(for: request.principal) { JSONBody.parse(bytes, decode) }
    } else {
      parsed = parse(bytes, decode)
    }
    let value = try parsed.result.get()
    // What has been counted for the body stands for the line to the engine that it becomes.
    if request.body?.share.grow(by: parsed.memory) == false { throw APIError(.tooMuchContent) }
    return value
  }

  private static func parse<T: Sendable>(
    _ bytes: [UInt8], _ decode: (JSONValue) throws(APIError) -> T
  ) -> Parsed<T> {
    let bounds = JSONBounds(maxValues: maxValues, maxMemory: max(bytes.count * memoryFactor, minMemory))
    do throws(JSONError) {
      let (value, memory) = try JSONValue.parsing(bytes.span, within: bounds)
      do throws(APIError) {
        return Parsed(result: .success(try decode(value)), memory: memory)
      } catch {
        return Parsed(result: .failure(error), memory: memory)
      }
    } catch {
      let message =
        error.isExcess
        ? "The request body is too much: \(error)." : "The request body is not valid JSON: \(error)."
      return Parsed(result: .failure(.invalid(message)), memory: 0)
    }
  }
}
