// Requests of the Responses API, for the tests of its wire form.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

extension GatewayServer {
  /// A request with a body of JSON.
  nonisolated static func post(
    _ path: String, _ body: String, _ fields: [String] = [], key: String? = key
  ) -> String { chat(body: body, fields, path: path, key: key) }

  /// A response request with one text as its input; `more` are further members of the body, each beginning with a comma.
  nonisolated static func response(
    _ text: String = "hi", stream: Bool = false, more: String = "", fields: [String] = [], key: String? = key
  ) -> String {
    post(
      "/v1/responses", #"{"input":\#(JSONValue.string(text).jsonText),"stream":\#(stream)\#(more)}"#, fields,
      key: key)
  }

  /// A GET of a response or of what belongs to it.
  nonisolated static func stored(_ id: String, _ rest: String = "", key: String? = key) -> String {
    request("GET", "/v1/responses/\(id)\(rest)", key: key)
  }

  /// Makes the database. SQLite lets nobody else open a file while its form is being chosen.
  func makeDatabase() async throws {
    #expect(try await exchange(Self.post("/v1/conversations", "{}")).status == 200)
  }

  /// The one response that has not ended, which a client that waits for all of it does not know by its id. After `makeDatabase`.
  func unfinishedResponse() async throws -> String {
    let store = ResponseStore(Database(directory: directory.path), maxAge: .zero)
    var found: [StoredResponse] = []
    let deadline = Loop.now + .seconds(60)
    while found.isEmpty, Loop.now < deadline { found = await store.unfinished() }
    return try #require(found.first?.id, "no response is being made")
  }

  /// Asks for a response until it says that it is at `status`. Returns it as it was last.
  func response(_ id: String, at status: String) async throws -> JSONValue {
    var object = JSONValue.null
    let deadline = Loop.now + .seconds(60)
    repeat {
      object = try await exchange(Self.stored(id)).json
      if object["status"] == .string(status) { return object }
      await Loop.nextTurn()
    } while Loop.now < deadline
    Issue.record("the response is \(object["status"] ?? .null) and not \(status)")
    return object
  }
}

extension TestClient {
  /// The events of a stream that have come so far.
  var responseEvents: [JSONValue] {
    text.split(separator: "\n").filter { $0.hasPrefix("data: ") }.compactMap {
      try? JSONValue(parsing: String($0.dropFirst(6)))
    }
  }
}

extension JSONValue {
  /// The text of the messages in a response.
  var outputText: String {
    (self["output"]?.arrayValue ?? []).flatMap { $0["content"]?.arrayValue ?? [] }
      .compactMap { $0["text"]?.stringValue }.joined()
  }

  var id: String { self["id"]?.stringValue ?? "" }
}
