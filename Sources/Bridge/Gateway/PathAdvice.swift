// Advice for requests to endpoints that the bridge does not have. It is added to the message of the 404.

/// Advice for clients that call an endpoint of another API, or one that the bridge does not offer.
enum PathAdvice {
  /// By the path without `/v1`. Settings of clients are spelled as in the clients' documentation.
  private static let byPath: [(path: [String], advice: String)] = [
    (
      ["embeddings"],
      "Codex makes no embeddings; set another server for them, or a local model, in the client (in OpenWebUI: Admin "
        + "Settings, Documents, Embedding Model Engine)."
    ),
    (
      ["messages"],
      "This is Anthropic's API; the bridge speaks OpenAI's: choose that kind of provider in the client."
    ),
    (
      ["api", "chat"],
      "This is Ollama's API; the bridge speaks OpenAI's: choose that kind of provider in the client."
    ),
    (
      ["api", "tags"],
      "This is Ollama's API; the bridge speaks OpenAI's: choose that kind of provider in the client."
    ),
    (["images", "generations"], "Codex makes no images for others; set another server for them in the client."),
    (["audio", "speech"], "Codex does not speak; set another server for it in the client."),
    (["audio", "transcriptions"], "Codex does not listen; set another server for it in the client."),
    (["moderations"], "There is no moderation here; switch it off in the client."),
    (
      ["responses", "compact"],
      "Codex shortens long conversations by itself; send the next message, with `previous_response_id` or a `conversation`."
    ),
    (
      ["responses", "input_tokens"],
      "Codex does not count tokens before a turn; the `usage` of a response has them afterwards."
    ),
    (
      ["assistants"],
      "The Assistants API has ended; let the client use POST /v1/responses, with `conversation` for what it calls threads."
    ),
    (
      ["threads"],
      "The Assistants API has ended; let the client use POST /v1/responses, with `conversation` for what it calls threads."
    ),
    (
      ["files"],
      "Files are not kept here; send a text file or an image in the message itself, or put the file into the working "
        + "directory of Codex."
    ),
    (["vector_stores"], "There is no search in files here; Codex reads the files in its working directory."),
    (["batches"], "There are no batches here; `background: true` of POST /v1/responses runs without its client."),
    (
      ["realtime"],
      "There is no speech here; GET /v1/responses with Upgrade is the WebSocket of the Responses API."
    ),
    (["rerank"], "Codex does not rank documents; set another server for it in the client."),
  ]

  /// The advice for a path; nil if there is none.
  static func advice(for path: String) -> String? {
    // All known paths are much shorter, so a long one is not worth the time to split it.
    guard path.utf8.count < 100, var segments = Router.segments(path) else { return nil }
    if let name = profileWithoutVersion(segments) {
      return "The base URL of this profile ends in /\(name)/v1; what comes after it is the client's."
    }
    _ = Router.removeBase(from: &segments)
    if segments.starts(with: ["v1"]) || segments.dropFirst().last == "completions" {
      return "The base URL of the bridge ends in /v1; what comes after it is the client's."
    }
    return byPath.first { segments.starts(with: $0.path) }?.advice
  }

  /// The profile that a path begins with, unless `v1` follows as it must: `/chat/completions` is no profile's.
  private static func profileWithoutVersion(_ segments: [String]) -> String? {
    guard segments.count > 1, segments[1] != "v1", !segments.starts(with: ["chat", "completions"]) else {
      return nil
    }
    return ProfileKind(rawValue: segments[0])?.rawValue
  }
}
