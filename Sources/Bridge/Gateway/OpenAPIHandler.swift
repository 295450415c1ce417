// GET /openapi.json: the description of everything that the bridge answers (OpenAPI 3.1), one file in the binary. A test compares
// it with the routes.

/// Answers requests for the description.
@LoopActor
final class OpenAPIHandler {
  /// Stands in the file where the version goes.
  private static let placeholder = "@VERSION@"

  /// Made when it is first asked for: reading it is no work for a start.
  private lazy var response: Response = {
    let text = String(decoding: PackageResources.openapi_json, as: UTF8.self)
    return .json(Array(text.replacing(Self.placeholder, with: BridgeVersion.text).utf8))
  }()

  /// Needs no key: there is nothing in it that is not public.
  func document(_ request: Request, _: [String], _ writer: ResponseWriter) { writer.send(response) }
}
