// Queries of lists, header fields that choose what is shown, and what one WebSocket remembers.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct QueryParametersTests {
  private func parameters(_ query: String?) -> [String: String] {
    RequestHead(
      method: "GET", path: "/", query: query, host: "localhost", minorVersion: 1, fields: HeaderFields(),
      framing: .none, expectsContinue: false, wantsKeepAlive: true, claimedID: nil
    ).parameters
  }

  @Test(
    arguments: [
      (nil, [:]), ("", [:]), ("a=1", ["a": "1"]), ("a=1&b=2", ["a": "1", "b": "2"]), ("a=", ["a": ""]),
      ("a=1&a=2", ["a": "2"]), ("a=b=c", ["a": "b=c"]), ("a", [:]), ("&&a=1&", ["a": "1"]), ("=1", ["": "1"]),
      ("include%5B%5D=x&a%20b=c%2Fd", ["include[]": "x", "a b": "c/d"]), ("a=%zz&b=1", ["b": "1"]),
      ("a=%C3%A9", ["a": "é"]),
    ] as [(String?, [String: String])])
  func readsAQuery(_ query: String?, _ expected: [String: String]) {
    #expect(parameters(query) == expected)
  }

  @Test(
    arguments: [
      ("", ItemPage()), ("limit=1", ItemPage(limit: 1)), ("limit=100", ItemPage(limit: 100)),
      ("order=asc", ItemPage(isAscending: true)), ("order=desc", ItemPage()),
      ("limit=5&order=asc&after=x&before=y", ItemPage(limit: 5, isAscending: true, after: "x")),
    ])
  func readsAPage(_ query: String, _ page: ItemPage) throws {
    #expect(try ItemPage(parameters(query)) == page)
  }

  @Test(arguments: [
    ("limit=0", "limit"), ("limit=101", "limit"), ("limit=-1", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
    ("limit=1.5", "limit"), ("order=up", "order"), ("order=", "order"),
  ])
  func refusesPagesByName(_ query: String, _ param: String) {
    #expect {
      try ItemPage(parameters(query))
    } throws: { error in
      (error as? APIError)?.param == param && (error as? APIError)?.status == 400
    }
  }

  @Test func aListTellsWhereItEnds() throws {
    let items = [StoredItem(id: "1", object: #"{"id":"1"}"#), StoredItem(id: "2", object: "{}")]
    let list = try JSONValue(parsing: ItemList(items: items, hasMore: true).response.body)
    #expect(
      list == ["object": "list", "data": [["id": "1"], [:]], "first_id": "1", "last_id": "2", "has_more": true])
    let empty = try JSONValue(parsing: ItemList(items: [], hasMore: false).response.body)
    #expect(empty == ["object": "list", "data": [], "first_id": nil, "last_id": nil, "has_more": false])
  }

  // MARK: What is shown

  private func shown(_ settings: [String: String] = [:]) throws -> ShownActivity {
    ShownActivity(try Configuration(sources: [.init(.flag, settings)]))
  }

  private func fields(_ fields: (String, String)...) throws -> HeaderFields {
    let lines = fields.map { "\($0): \($1)\r\n" }.joined()
    return try ParsedRequest.head("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n").fields
  }

  @Test(
    arguments: [
      (nil, nil, ResponseStyle()), ("", "", ResponseStyle()), ("mcp", nil, ResponseStyle(activity: .mcp)),
      ("NONE", "Reasoning", ResponseStyle(activity: .none)),
      ("reasoning", "message", ResponseStyle(commentaryIsMessage: true)),
    ] as [(String?, String?, ResponseStyle)])
  func theHeaderChooses(_ activity: String?, _ commentary: String?, _ style: ResponseStyle) throws {
    let first = ("x-bridge-activity", activity ?? "")
    let fields =
      try commentary.map { try self.fields(first, ("x-bridge-commentary", $0)) }
      ?? (activity == nil ? HeaderFields() : self.fields(first))
    #expect(try shown().style(fields) == style)
  }

  @Test func elseTheSettingDoes() throws {
    let hidden = try shown([Settings.showActivity.name: "false"])
    #expect(try hidden.style(HeaderFields()).activity == .none)
    #expect(try hidden.style(try fields(("x-bridge-activity", "mcp"))).activity == .mcp)
    #expect(try !hidden.inChat(HeaderFields()).tools)
    #expect(try shown().inChat(HeaderFields()).tools)
  }

  @Test func refusesWhatItDoesNotKnow() throws {
    let shown = try shown()
    for (name, value) in [("x-bridge-activity", "all"), ("x-bridge-commentary", "none")] {
      #expect {
        try shown.style(try fields((name, value)))
      } throws: {
        ($0 as? APIError)?.param == name
      }
    }
    #expect {
      try shown.inChat(try fields(("x-bridge-activity", "mcp")))
    } throws: {
      ($0 as? APIError)?.param == "x-bridge-activity"
    }
    #expect {
      try shown.style(try fields(("x-bridge-activity", "items")))
    } throws: {
      ($0 as? APIError)?.param == "x-bridge-activity"
    }
    #expect(try shown.inChat(try fields(("x-bridge-activity", "Items"))).asItems)
  }

  // MARK: Paths

  @Test(arguments: [
    "/v1/responses/compact", "/v1/responses/input_tokens", "/v1/assistants", "/v1/threads/x/runs", "/v1/files",
    "/v1/batches", "/v1/realtime", "/v1/vector_stores", "/agent/v1/files",
  ])
  func whatIsNotOfferedHasAdvice(_ path: String) {
    #expect(PathAdvice.advice(for: path)?.isEmpty == false)
  }

  @Test(arguments: ["/v1/responses", "/v1/conversations/x", "/v1/responses/resp_1/other"])
  func whatIsOfferedHasNone(_ path: String) {
    #expect(PathAdvice.advice(for: path) == nil)
  }
}

@Suite(.onLoop)
struct SocketMemoryTests {
  private static func response(_ output: [String]) -> RenderedResponse {
    RenderedResponse(object: [], output: output.map { (id: "", object: Array($0.utf8)) })
  }

  @Test @LoopActor func theLastAnswerIsGoneOnFromOnce() {
    let memory = SocketMemory()
    #expect(memory.take("r1") == nil)
    let before = [Conversation.Item.message(.user, [.text("hi")])]
    let output = [
      #"{"type":"reasoning","summary":[]}"#, #"{"type":"message","role":"assistant","content":"a"}"#, "no JSON",
    ]
    memory.remember("r1", before, Self.response(output))
    #expect(memory.take("r0") == nil)
    #expect(memory.take("r1") == before + [.message(.assistant, [.text("a")])])
    #expect(memory.take("r1") == nil)
  }

  @Test @LoopActor func onlyTheLastOneIsKnown() {
    let memory = SocketMemory()
    memory.remember("r1", [], Self.response([]))
    memory.remember("r2", [], Self.response([]))
    #expect(memory.take("r1") == nil && memory.take("r2") == [])
  }

  @Test func anErrorIsAnEventWithItsStatus() throws {
    var buffer = ByteBuffer()
    SocketMemory.append(APIError.invalid("m", param: "p").response, to: &buffer)
    #expect(
      try JSONValue(parsing: buffer.take()) == [
        "type": "error", "status": 400,
        "error": ["message": "m", "type": "invalid_request_error", "param": "p", "code": nil],
      ])
    SocketMemory.append(Response(status: 204), to: &buffer)
    #expect(try JSONValue(parsing: buffer.take()) == ["type": "error", "status": 204])
  }
}
