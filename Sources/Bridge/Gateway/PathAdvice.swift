// Advice for requests to endpoints that the bridge does not have. It is added to the message of the 404.

/// Advice for clients that call an endpoint of another API, or one that the bridge does not offer.
enum PathAdvice {
  /// By the path without `/v1`. Settings of clients are spelled as in the clients' documentation.
  private static let byPath: [(path: [String], advice: String)] = [
    (
      ["responses"],
      "The Responses API is not offered; let the client use POST /v1/chat/completions: `use_responses_api=False` "
        + "(LangChain), `set_default_openai_api(\"chat_completions\")` (OpenAI Agents), `openai.chat(model)` (AI SDK), "
        + "`wire_api = \"chat\"`, or its setting for “OpenAI compatible” servers."
    ),
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
    return byPath.first { segments == $0.path }?.advice
  }

  /// The profile that a path begins with, unless `v1` follows as it must: `/chat/completions` is no profile's.
  private static func profileWithoutVersion(_ segments: [String]) -> String? {
    guard segments.count > 1, segments[1] != "v1", !segments.starts(with: ["chat", "completions"]) else {
      return nil
    }
    return ProfileKind(rawValue: segments[0])?.rawValue
  }
}
