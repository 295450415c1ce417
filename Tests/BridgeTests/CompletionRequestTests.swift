// Bodies of requests to complete a text: what is read, what is refused and under which name, what is ignored.

import Testing

@testable import Bridge

struct CompletionRequestTests {
  private func decode(_ text: String, userIsSession: Bool = true) throws -> CompletionRequest {
    try CompletionRequest(try JSONValue(parsing: text), userIsSession: userIsSession)
  }

  /// A request with a prompt and these further members.
  private func decode(with members: String, userIsSession: Bool = true) throws -> CompletionRequest {
    try decode("{\"prompt\":\"hi\",\(members)}", userIsSession: userIsSession)
  }

  private func refusal(of body: String) throws -> APIError {
    try #require(throws: APIError.self) { try decode(body) }
  }

  @Test func takesTheLeastThereIs() throws {
    let completion = try decode(#"{"prompt":"Once upon"}"#)
    var ask = Ask(conversation: Conversation(items: [.message(.user, [.text("Once upon")])]))
    ask.keeping = .none
    #expect(completion.ask == ask)
    #expect(!completion.includesUsage)
  }

  @Test func takesEverythingAtOnce() throws {
    let completion = try decode(
      with: """
        "model":"m:high","stream":true,"stream_options":{"include_usage":true},"stop":["a","b"],
        "reasoning_effort":"low","session_id":"s","n":1,"best_of":1,"echo":false,"logprobs":0,"suffix":"",
        "max_tokens":16,"temperature":0
        """)
    let ask = completion.ask
    #expect(ask.model == "m:high")
    #expect(ask.isStreamed)
    #expect(completion.includesUsage)
    #expect(ask.stops == ["a", "b"])
    #expect(ask.effort == Ask.Effort(name: "low", field: "reasoning_effort"))
    #expect(ask.sessions == [Ask.SessionName(id: "s", field: "session_id")])
    #expect(ask.ignored == ["temperature", "max_tokens", "logprobs"])
  }

  @Test func nullMeansAbsent() throws {
    let names = [
      "model", "stream", "stream_options", "stop", "reasoning_effort", "session_id", "user", "n", "best_of",
      "echo", "logprobs", "suffix", "temperature", "top_p", "max_tokens", "seed", "logit_bias", "response_format",
      "tools",
    ]
    let plain = try decode(#"{"prompt":"hi"}"#)
    #expect(try decode(with: names.map { "\"\($0)\":null" }.joined(separator: ",")) == plain)
  }

  // MARK: The prompt

  @Test(
    arguments: [
      (#""a\nb""#, [.text("a\nb")]), (#"["a"]"#, [.text("a")]), (#""""#, []), (#"[""]"#, []),
    ] as [(String, [Conversation.Part])])
  func takesOneText(_ prompt: String, _ parts: [Conversation.Part]) throws {
    #expect(try decode("{\"prompt\":\(prompt)}").ask.conversation.items == [.message(.user, parts)])
  }

  @Test(arguments: [
    ("{}", "prompt", "Missing"), (#"{"prompt":null}"#, "prompt", "Missing"),
    (#"{"prompt":5}"#, "prompt", "string"),
    (#"{"prompt":{}}"#, "prompt", "string"), (#"{"prompt":true}"#, "prompt", "string"),
    (#"{"prompt":[]}"#, "prompt", "must contain"),
    (#"{"prompt":["a","b"]}"#, "prompt", "each of the 2"), (#"{"prompt":["a",5]}"#, "prompt", "each of the 2"),
    (#"{"prompt":[1,2,3]}"#, "prompt", "Tokens"), (#"{"prompt":[1]}"#, "prompt", "Tokens"),
    (#"{"prompt":[[1,2]]}"#, "prompt", "Tokens"), (#"{"prompt":[[1],[2]]}"#, "prompt", "Tokens"),
    (#"{"prompt":[null]}"#, "prompt[0]", "string"), (#"{"prompt":[[]]}"#, "prompt[0]", "string"),
    (#"{"prompt":[["a"]]}"#, "prompt[0]", "string"), (#"{"prompt":[{}]}"#, "prompt[0]", "string"),
  ])
  func refusesOtherPrompts(_ body: String, _ param: String, _ words: String) throws {
    let error = try refusal(of: body)
    #expect(error.status == 400)
    #expect(error.type == "invalid_request_error")
    #expect(error.param == param)
    #expect(error.message.contains(words), "\(error.message)")
  }

  @Test(arguments: ["[]", "\"hi\"", "5", "null"])
  func refusesBodiesThatAreNoObject(_ body: String) throws {
    #expect(try refusal(of: body).status == 400)
  }

  // MARK: Other fields

  @Test(arguments: [
    ("\"n\":2", "n"), ("\"n\":\"1\"", "n"), ("\"best_of\":3", "best_of"), ("\"best_of\":true", "best_of"),
    ("\"echo\":true", "echo"), ("\"echo\":1", "echo"), ("\"logprobs\":1", "logprobs"),
    ("\"logprobs\":true", "logprobs"), ("\"logprobs\":\"0\"", "logprobs"), ("\"suffix\":\" end\"", "suffix"),
    ("\"suffix\":5", "suffix"), ("\"model\":5", "model"), ("\"stream\":1", "stream"),
    ("\"stream_options\":[]", "stream_options"), ("\"stop\":5", "stop"), ("\"stop\":[\"a\",5]", "stop[1]"),
    ("\"session_id\":5", "session_id"), ("\"reasoning_effort\":3", "reasoning_effort"),
  ])
  func refusesByName(_ members: String, _ param: String) throws {
    let error = try refusal(of: "{\"prompt\":\"hi\",\(members)}")
    #expect(error.status == 400)
    #expect(error.param == param)
  }

  @Test func namesWhatHasNoEffect() throws {
    let members = """
      "temperature":0.7,"top_p":1,"max_tokens":256,"seed":1,"presence_penalty":0,"frequency_penalty":0,
      "logit_bias":{},"logprobs":false,"response_format":{"type":"json_object"},"tools":[],"unknown":1
      """
    #expect(
      try decode(with: members).ask.ignored == [
        "temperature", "top_p", "max_tokens", "seed", "presence_penalty", "frequency_penalty", "logit_bias",
        "logprobs", "response_format", "tools",
      ])
  }

  @Test func theUserMayBeTheSession() throws {
    let ask = try decode(with: "\"user\":\"u\"").ask
    #expect(ask.sessions == [Ask.SessionName(id: "u", field: "user")])
    #expect(ask.ignored.isEmpty)
    let other = try decode(with: "\"user\":\"u\"", userIsSession: false).ask
    #expect(other.sessions.isEmpty)
    #expect(other.ignored == ["user"])
  }
}
