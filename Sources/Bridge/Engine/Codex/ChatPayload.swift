// What makes a thread of the app-server a plain chat: everything of Codex's own that can be left out is. Pure.

enum ChatPayload {
  /// The parameter that takes the system prompt: it replaces the prompt that Codex would send, some 21 KB.
  static let instructions = "baseInstructions"

  /// Codex's configuration for a thread that has no tools and is told nothing but what the client says.
  static let config = JSONObject([
    // The AGENTS.md files of the working directory; that of Codex's home comes all the same.
    .init(key: "project_doc_max_bytes", value: 0),
    .init(key: "include_environment_context", value: false),
    .init(key: "include_permissions_instructions", value: false),
    .init(key: "include_apps_instructions", value: false),
    .init(key: "include_collaboration_mode_instructions", value: false),
    .init(key: "skills", value: ["include_instructions": false, "bundled": ["enabled": false]]),
    .init(key: "agents", value: ["enabled": false]),
    .init(key: "tools", value: ["experimental_request_user_input": ["enabled": false]]),
    .init(
      key: "features",
      value: [
        "goals": false, "multi_agent": false, "tool_search": false, "shell_tool": false, "unified_exec": false,
        "view_image": false, "sleep_tool": false, "image_generation": false, "apps": false, "plugins": false,
      ]),
  ])

  /// For `thread/start`. Without a system prompt there is none: a text that is empty is not sent to the model.
  static func addStart(_ request: TurnRequest, to params: inout JSONObject) {
    if request.instructions == nil { params[instructions] = "" }
    params["environments"] = []
  }

  /// For `turn/start`. A thread that was loaded again has its environment back, and with it a tool that edits files.
  static func addTurn(to params: inout JSONObject) { params["environments"] = [] }
}
