// GET /openapi.json against the routes that there are.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct OpenAPIWireTests {
  @LoopActor
  private func document(_ server: GatewayServer) async throws -> JSONValue {
    let response = try await server.exchange(GatewayServer.request("GET", "/openapi.json", key: nil))
    #expect(response.status == 200 && response.field("content-type")?.hasPrefix("application/json") == true)
    return try JSONValue(parsing: Array(response.body.utf8))
  }

  /// A path of the document with what is described of it.
  private struct Path {
    let path: String
    /// By their methods, in lower case.
    let operations: [(method: String, operation: JSONValue)]

    /// The path as the router writes it.
    var template: String {
      let segments = path.split(separator: "/").map { $0.hasPrefix("{") ? "*" : String($0) }
      return "/" + segments.drop { $0 == "v1" }.joined(separator: "/")
    }
  }

  private func paths(_ document: JSONValue) throws -> [Path] {
    try #require(document["paths"]?.objectValue).members.map { member in
      Path(
        path: member.key,
        operations: (member.value.objectValue?.members ?? []).map { (method: $0.key, operation: $0.value) })
    }
  }

  @Test @LoopActor
  func everyRouteIsDescribedAndNothingElse() async throws {
    try await GatewayServer.run { server in
      let described = try paths(try await document(server)).flatMap { path in
        path.operations.map { "\($0.method.uppercased()) \(path.template)" }
      }
      let answered = server.routes.flatMap { route in route.handlers.map { "\($0.method) \(route.path)" } }
      #expect(Set(described).count == described.count)
      #expect(Set(answered).subtracting(described) == [], "not described")
      #expect(Set(described).subtracting(answered) == [], "described, but not answered")
    }
  }

  /// What needs no key is said to need none, and nothing else.
  @Test @LoopActor
  func whatIsPublicIsSaidToBe() async throws {
    try await GatewayServer.run { server in
      for path in try paths(try await document(server)) {
        guard let route = server.routes.first(where: { $0.path == path.template }) else { continue }
        for (method, operation) in path.operations {
          #expect((operation["security"] == []) == route.isPublic, "\(method) \(path.path)")
        }
      }
    }
  }

  @Test @LoopActor
  func itHasTheVersionAndItsReferencesLeadSomewhere() async throws {
    try await GatewayServer.run { server in
      let document = try await document(server)
      #expect(document["openapi"] == "3.1.0")
      #expect(document["info"]?["version"] == .string(BridgeVersion.text))
      let references = references(document)
      #expect(references.count > 100)
      for reference in references {
        let place = reference.split(separator: "/").dropFirst().reduce(document as JSONValue?) { $0?[String($1)] }
        #expect(place != nil, "\(reference)")
      }
    }
  }

  private func references(_ value: JSONValue) -> [String] {
    switch value {
    case .object(let object):
      object.members.flatMap { $0.key == "$ref" ? [$0.value.stringValue ?? ""] : references($0.value) }
    case .array(let values): values.flatMap(references)
    default: []
    }
  }
}
