// The program that has sent a request, in the words of its users. Pure.

/// Recognises programs by the head of their requests.
enum ClientName {
  /// What a longer name is cut to. Some programs send a page's title here.
  private static let maxCharacters = 48

  /// Where programs say what they are, first the one that says more: the name that OpenRouter asks its clients for, and that
  /// many send everywhere.
  private static let titleField = "x-title"

  /// How the user agents of known programs begin, or what they have in them, with the names that people know.
  private static let known: [(mark: String, name: String)] = [
    ("CherryStudio/", "Cherry Studio"), ("LobeChat", "LobeChat"), ("Cline/", "Cline"), ("Continue/", "Continue"),
    ("codex_", "Codex"), ("AsyncOpenAI/Python", "OpenAI Python"), ("OpenAI/Python", "OpenAI Python"),
    ("OpenAI/JS", "OpenAI Node"), ("Agents/Python", "OpenAI Agents SDK"), ("litellm/", "LiteLLM"),
    ("langchain", "LangChain"), ("opencode/", "OpenCode"), ("ai-sdk/", "Vercel AI SDK"), ("curl/", "curl"),
    ("python-requests/", "Python requests"), ("python-httpx/", "Python httpx"),
    ("aiohttp/", "Open WebUI or another Python program (aiohttp)"), ("Go-http-client/", "Go"),
    ("Electron/", "Desktop program (Electron)"),
  ]

  /// The name of the program; nil where a request says nothing. `remembered` is the user agent that was asked for last, with
  /// its name: most requests come from the program that has sent the one before, and a look at the table costs as much as
  /// all else that is listed of a request.
  static func name(in fields: HeaderFields, remembered: inout (agent: String, name: String)) -> String? {
    if SessionUsers.isNamed(in: fields) || fields.range(of: SessionUsers.chatField) != nil { return "Open WebUI" }
    if let title = fields[titleField], !title.isEmpty { return title.shortened(to: maxCharacters) }
    guard let agent = fields["user-agent"], !agent.isEmpty else { return nil }
    if agent == remembered.agent { return remembered.name }
    let name = name(ofAgent: agent, fields)
    // What a browser is called depends on more than its agent.
    if !agent.hasPrefix("Mozilla/") { remembered = (agent, name) }
    return name
  }

  private static func name(ofAgent agent: String, _ fields: HeaderFields) -> String {
    if let found = known.first(where: { agent.contains($0.mark) }) { return found.name }
    guard agent.hasPrefix("Mozilla/") else {
      let product = agent.prefix { $0 != "/" && $0 != " " }
      return String(product).shortened(to: maxCharacters)
    }
    // Sent by browsers alone, and by no page of another origin with this value.
    return fields["sec-fetch-site"] == "same-origin" ? "This page" : "Browser"
  }
}
