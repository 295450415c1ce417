// Reads the body of a request as JSON. Every failure on the way becomes an `APIError`.

/// Reads JSON bodies within bounds on their number of values and their memory.
enum JSONBody {
  /// A larger body is parsed on another thread, because it would hold up the loop for a millisecond or more.
  private static let maxBytesOnLoop = 128 << 10
  /// The largest number of values in a body. No client needs more, and each takes an allocation or two.
  private static let maxValues = 1_000_000
  /// How many bytes of memory the values may take for each byte of the body. With the body itself, and the request that
  /// is made of it, that is ten times the body at most.
  private static let memoryFactor = 8
  /// How many bytes of memory the values may take, however short the body is.
  private static let minMemory = 4 << 20

  private struct Parsed<T: Sendable>: Sendable {
    let result: Result<T, APIError>
    let memory: Int
    let fingerprint: Fingerprint
  }

  /// Nobody outside of this process can make two bodies with the same fingerprint.
  private static let seeds = Fingerprint.Seeds()

  /// Reads the whole body, parses it, and decodes its value. The Content-Type is ignored, because `curl -d` calls JSON a
  /// form. The values of a large body are made and freed on another thread.
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
    if bytes.count > maxBytesOnLoop {
      parsed = await HeavyWork.run(for: request.principal) { JSONBody.parse(bytes, decode) }
    } else {
      parsed = parse(bytes, decode)
    }
    let value = try parsed.result.get()
    request.bodyFingerprint = parsed.fingerprint
    // Only the memory of the values is added. The bytes counted for the body cover the line to the engine that it becomes.
    if request.body?.share.grow(by: parsed.memory) == false { throw APIError(.tooMuchContent) }
    return value
  }

  private static func parse<T: Sendable>(
    _ bytes: [UInt8], _ decode: (JSONValue) throws(APIError) -> T
  ) -> Parsed<T> {
    let fingerprint = Fingerprint(of: bytes.span, seeds)
    let bounds = JSONBounds(maxValues: maxValues, maxMemory: max(bytes.count * memoryFactor, minMemory))
    do throws(JSONError) {
      let (value, memory) = try JSONValue.parsing(bytes.span, within: bounds)
      do throws(APIError) {
        return Parsed(result: .success(try decode(value)), memory: memory, fingerprint: fingerprint)
      } catch {
        return Parsed(result: .failure(error), memory: memory, fingerprint: fingerprint)
      }
    } catch {
      let message =
        error.isExcess
        ? "The request body is too much: \(error)." : "The request body is not valid JSON: \(error)."
      return Parsed(result: .failure(.invalid(message)), memory: 0, fingerprint: fingerprint)
    }
  }
}
