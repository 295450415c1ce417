// THE table: every setting of the bridge, once. The article Settings, deploy/bridged.env.example,
// `bridged config` and the reading of the environment all come from here. Long because it is a table.

/// What Codex's commands may touch.
package enum SandboxMode: String, Sendable, CaseIterable {
  case readOnly = "read-only"
  case workspaceWrite = "workspace-write"
  case dangerFullAccess = "danger-full-access"
}

/// When Codex asks before it runs something.
package enum ApprovalPolicy: String, Sendable, CaseIterable {
  case never
  case onRequest = "on-request"
  case untrusted
}

/// What a turn is: the agent that Codex is, or the model alone.
package enum ProfileKind: String, Sendable, CaseIterable {
  /// Codex with its tools, its instructions and its working directory.
  case agent
  /// What the client says and nothing else: no tools, instructions or files of Codex's own.
  case chat

  /// For sentences.
  static let names = allCases.map { "'\($0.rawValue)'" }.joined(separator: " or ")
}

/// What happens to a turn whose client has gone away.
package enum DisconnectPolicy: String, Sendable, CaseIterable {
  case interrupt
  case finish
}

/// How much is logged.
package enum LogLevel: String, Sendable, CaseIterable {
  case debug
  case info
  case warning
  case error
}

/// How a log line is written.
package enum LogFormat: String, Sendable, CaseIterable {
  case text
  case json
}

/// Which summaries of its reasoning the model is asked for.
package enum ReasoningSummary: String, Sendable, CaseIterable {
  case auto
  case concise
  case detailed
  case none
}

/// The settings of the bridge.
package enum Settings {
  /// The key that needs no configuration; accepted on loopback only.
  static let defaultKey = "123321"

  static let host = Setting(
    "HOST", .nonEmptyList("addresses or host names"), default: ["127.0.0.1"], flag: "host",
    "Where to listen. `localhost` is both loopback addresses; `::` is IPv4 too.")
  static let port = Setting(
    "PORT", .number(0...65535), default: 8080, flag: "port",
    "The TCP port; 0 lets the system choose and prints it.")
  static let apiKeys = Setting(
    "CODEX_BRIDGE_API_KEY", .list("keys"), default: [defaultKey], isSecret: true, defaultText: defaultKey,
    "The keys clients may use. The default is accepted only while listening on loopback.")
  static let model = Setting(
    "CODEX_MODEL", .optionalText("a model name"), default: nil, flag: "model", defaultText: "Codex's own default",
    "The model of requests that name none; `model:effort` is allowed.")
  static let reasoning = Setting(
    "CODEX_REASONING", .optionalText("an effort such as low, medium or high"), default: nil,
    defaultText: "the model's default",
    "The reasoning effort of requests that name none.")
  static let reasoningSummary = Setting(
    "CODEX_REASONING_SUMMARY", SettingSyntax<ReasoningSummary>.choice, default: .auto,
    "Summaries of the model's reasoning, sent as `reasoning_content`.")
  static let showActivity = Setting(
    "CODEX_SHOW_ACTIVITY", .flag, default: true,
    "Tell beside the answer, with the model's reasoning, which commands Codex runs and which files it changes; "
      + "`x-bridge-activity: none` or `reasoning` decides for one request.")
  static let codexBinary = Setting(
    "CODEX_BIN", .text("a path or a program name"), default: "codex", flag: "codex-bin",
    "The Codex CLI. A bare name is looked up on PATH; `codex` may also be the one that deploy/install.sh has installed."
  )
  static let codexHome = Setting(
    "CODEX_HOME", .optionalText("a directory"), default: nil, defaultText: "Codex's own default, ~/.codex",
    "Where Codex keeps its login, configuration and threads.")
  static let workingDirectory = Setting(
    "CODEX_WORKDIR", .optionalText("an existing directory"), default: nil, flag: "workdir",
    defaultText: "the current directory",
    "The directory Codex works in.")
  static let sandboxMode = Setting(
    "CODEX_SANDBOX_MODE", SettingSyntax<SandboxMode>.choice, default: .readOnly, flag: "sandbox",
    "What the commands Codex runs may touch.")
  static let approvalPolicy = Setting(
    "CODEX_APPROVAL_POLICY", SettingSyntax<ApprovalPolicy>.choice, default: .never,
    "When Codex asks before it acts.")
  static let approvalWait = Setting(
    "CODEX_APPROVAL_WAIT", .durationOrZero, default: .seconds(60),
    "How long a person has to answer what Codex asks; then it is declined. 0 declines at once.")
  static let approvalHook = Setting(
    "CODEX_APPROVAL_HOOK", SettingSyntax<HookTarget?>.hook, default: nil, isSecret: true,
    "Where each question of Codex is told with a link to its card, by a POST: an address that takes JSON, or a topic of ntfy."
  )
  static let approvalHookSecret = Setting(
    "CODEX_APPROVAL_HOOK_SECRET", SettingSyntax<String?>.printableASCII, default: nil, isSecret: true,
    "What the JSON of `CODEX_APPROVAL_HOOK` is signed with (`x-bridge-signature`); for ntfy the access token of the topic."
  )
  static let publicURL = Setting(
    "CODEX_PUBLIC_URL", SettingSyntax<String?>.baseURL, default: nil, defaultText: "the address listened on",
    "How people reach the bridge from elsewhere, for the links of `CODEX_APPROVAL_HOOK`; its host counts as allowed."
  )
  static let networkAccess = Setting(
    "CODEX_NETWORK_ACCESS", .flag, default: false,
    "Let sandboxed commands use the network (with `workspace-write`).")
  static let webSearch = Setting(
    "CODEX_WEB_SEARCH", .flag, default: false,
    "Offer the model web search.")
  static let skipGitCheck = Setting(
    "CODEX_SKIP_GIT_CHECK", .flag, default: true,
    "Work outside a git repository; `false` refuses to start there.")
  static let codexConfig = Setting(
    "CODEX_CONFIG", .overrides("`key=value` overrides in TOML"), default: [],
    "Further `-c` overrides for Codex's own configuration.")
  static let passEnvironment = Setting(
    "CODEX_PASS_ENV", .list("variable names"), default: [],
    "Environment variables Codex gets besides the usual ones and those its config.toml names as `env_key`.")
  static let profile = Setting(
    "CODEX_PROFILE", SettingSyntax<ProfileKind>.choice, default: .agent,
    "The profile of requests that choose none by `x-bridge-profile` or by their base URL (`/chat/v1`, `/agent/v1`): "
      + "`chat` is the model alone, without Codex's tools, instructions and files.")
  static let requireSessionID = Setting(
    "CODEX_REQUIRE_SESSION_ID", .flag, default: false,
    "Refuse chat requests that name no session.")
  static let userIsSession = Setting(
    "CODEX_USER_IS_SESSION", .flag, default: true,
    "Take the `user` field as a session id when nothing else in the body or in the headers names one.")
  static let openWebUISecret = Setting(
    "CODEX_OPENWEBUI_JWT_SECRET", .optionalText("the value of Open WebUI's FORWARD_USER_INFO_HEADER_JWT_SECRET"),
    default: nil, isSecret: true,
    "Keep the sessions of Open WebUI's users apart, who share a key: `X-OpenWebUI-User-Jwt` is verified with this secret."
  )
  static let taskOpenings = Setting(
    "CODEX_TASK_OPENINGS", .list("beginnings of messages", separator: ";"), default: [], defaultText: "none",
    "How further requests begin that a front end makes for itself, besides those of Open WebUI and LibreChat: answered by "
      + "the plain chat, beside the conversation.")
  static let continuity = Setting(
    "CODEX_CONTINUE", SettingSyntax<Continuity>.choice, default: .memory,
    "Whether a conversation without an id goes on in the thread that its history leads to: `memory` keeps the last 64 while "
      + "it runs and then deletes their threads, `disk` keeps them like sessions, `off` keeps none.")
  static let stateDirectory = Setting(
    "CODEX_STATE_DIR", .optionalText("a writable directory"), default: nil,
    defaultText: "below ~/.local/state/bridged, one for each working directory",
    "Where `.codex_threads.json` and the like are kept, out of reach of what Codex's commands may write.")
  static let sessionMaxAge = Setting(
    "CODEX_SESSION_MAX_AGE", .durationOrZero, default: .zero, defaultText: "0: for ever",
    "Forget sessions that were not used for this long; their threads stay with Codex.")
  static let maxSessions = Setting(
    "CODEX_MAX_SESSIONS", .number(0...10_000_000), default: 0, defaultText: "0: no limit",
    "Forget the sessions that were not used for the longest time when there are more.")
  static let bodyLimit = Setting(
    "CODEX_JSON_LIMIT", .byteSize, default: 10 << 20,
    "The largest request body.")
  static let imageLimit = Setting(
    "CODEX_IMAGE_LIMIT", .byteSize, default: 10 << 20,
    "The largest image, inline, fetched or read from disk; the images of a request may have four times that.")
  static let imageAllowPrivate = Setting(
    "CODEX_IMAGE_ALLOW_PRIVATE", .flag, default: false,
    "Fetch images from loopback, private and link-local addresses too.")
  static let imageRoots = Setting(
    "CODEX_IMAGE_ROOTS", .list("directories"), default: [], defaultText: "the working directory",
    "Directories besides the working directory that local images may come from.")
  static let responsesMaxAge = Setting(
    "CODEX_RESPONSES_MAX_AGE", .durationOrZero, default: .seconds(30 * 86_400),
    "How long responses of /v1/responses are kept, so that others can go on from them; 0: as long as there is room."
  )
  static let dynamicModels = Setting(
    "CODEX_DYNAMIC_MODELS", .flag, default: true,
    "Offer and check the models Codex lists; `false` offers CODEX_MODEL only and passes any name on.")
  static let listEfforts = Setting(
    "CODEX_LIST_EFFORTS", .flag, default: false,
    "List each model with each of its efforts too, as `model:effort`, for pickers; such names are accepted anyway."
  )
  static let modelsTTL = Setting(
    "CODEX_MODELS_TTL_MS", .number(0...86_400_000), default: 300_000,
    "How long the model list is kept, in milliseconds.")
  static let toolWait = Setting(
    "CODEX_TOOL_WAIT", .duration, default: .seconds(600),
    "How long a turn waits for the outputs of a client's functions; later ones go on from what was kept of it.")
  static let strictParameters = Setting(
    "CODEX_STRICT_PARAMS", .flag, default: false,
    "Answer 400 to parameters that would otherwise be ignored and named in `x-bridge-ignored`.")
  static let logRequests = Setting(
    "CODEX_LOG_REQUESTS", .flag, default: false,
    "Log a line for each request: method, path, status, time. Never keys or texts.")
  static let logLevel = Setting(
    // `trace` was a level of its own, with nothing in it that `debug` has not.
    "CODEX_LOG_LEVEL", SettingSyntax<LogLevel>.choice(alsoReading: ["trace": .debug]), default: .info,
    flag: "log-level",
    "How much is logged, to standard error.")
  /// The setting that says in which form everything else is told, refusals of settings included.
  package static let logFormatName = "CODEX_LOG_FORMAT"
  static let logFormat = Setting(
    logFormatName, SettingSyntax<LogFormat>.choice, default: .text,
    "Log lines for people or for machines.")
  static let metricsOnLoopback = Setting(
    "CODEX_METRICS_ON_LOOPBACK", .flag, default: false,
    "Answer /metrics without a key to clients on this machine.")
  static let maxConcurrentTurns = Setting(
    "CODEX_MAX_CONCURRENT_TURNS", .number(1...10_000), default: 64,
    "Turns that run at once; more wait.")
  static let maxTurnsPerKey = Setting(
    "CODEX_MAX_TURNS_PER_KEY", .number(0...10_000), default: 0,
    defaultText: "0: three quarters of them where there are several keys, else all",
    "Turns of one key that run at once.")
  static let maxQueue = Setting(
    "CODEX_MAX_QUEUE", .number(0...100_000), default: 256,
    "Requests that may wait for a turn; more get 429.")
  static let sessionQueue = Setting(
    "CODEX_SESSION_QUEUE", .number(0...10_000), default: 16,
    "Requests of one session that may wait for its running turn; more get 429.")
  static let turnTimeout = Setting(
    "CODEX_TURN_TIMEOUT", .duration, default: .seconds(3600),
    "The longest a turn may take.")
  static let turnIdleTimeout = Setting(
    "CODEX_TURN_IDLE_TIMEOUT", .duration, default: .seconds(600),
    "The longest Codex may make no progress in a turn, reconnecting included; commands it runs do not count.")
  static let providerWait = Setting(
    "CODEX_PROVIDER_WAIT", .duration, default: .seconds(60),
    "The longest a turn may do nothing but try to reach the model provider; then it ends with 503.")
  static let engineProcesses = Setting(
    "CODEX_ENGINES", .range(within: 1...64), default: 1...4,
    "Codex processes that share the turns. Of a range, the first is how many there are at least; where the "
      + "bridge may use several processors, another is started for each four turns at once, and ended when it was not "
      + "needed for five minutes.")
  static let engineMaxMemory = Setting(
    "CODEX_ENGINE_MAX_RSS", .memorySize, default: 1 << 30,
    "A Codex process that uses more memory ends its turns while a fresh one takes over; 0 never.")
  static let engineMaxTurns = Setting(
    "CODEX_ENGINE_MAX_TURNS", .number(0...1_000_000_000), default: 10_000,
    "The same after so many turns; 0 never.")
  static let onDisconnect = Setting(
    "CODEX_ON_DISCONNECT", SettingSyntax<DisconnectPolicy>.choice, default: .interrupt,
    "What happens to a turn whose client goes away.")
  static let retryGrace = Setting(
    "CODEX_RETRY_GRACE", .durationOrZero, default: .seconds(5),
    "How long a turn goes on for a client that does not stream and went away: sent again, the request gets the answer of "
      + "that turn.")
  static let drainTimeout = Setting(
    "CODEX_DRAIN_TIMEOUT", .duration, default: .seconds(30),
    "How long running turns may go on after SIGTERM.")
  static let corsOrigins = Setting(
    "CODEX_CORS_ORIGINS", .origins("* or origins such as https://chat.example, without a path"), default: [],
    defaultText: "none",
    "Web pages that may call the bridge from a browser.")
  static let allowedHosts = Setting(
    "CODEX_ALLOWED_HOSTS", .list("host names, or * for any"), default: [],
    defaultText: "loopback names and the address listened on",
    "Values of the Host field that are answered; protects against DNS rebinding. A list takes the place of the default, "
      + "so name `127.0.0.1` and `localhost` too.")

  /// All of them, in the order of the documents.
  package static let all: [any AnySetting] = [
    host, port, apiKeys, model, reasoning, reasoningSummary, showActivity, codexBinary, codexHome,
    workingDirectory, sandboxMode, approvalPolicy, approvalWait, approvalHook, approvalHookSecret,
    publicURL, networkAccess, webSearch, skipGitCheck,
    codexConfig, passEnvironment, profile, requireSessionID, userIsSession, openWebUISecret, taskOpenings,
    continuity, stateDirectory, sessionMaxAge, maxSessions, bodyLimit, imageLimit, imageAllowPrivate, imageRoots,
    responsesMaxAge, dynamicModels, listEfforts, modelsTTL,
    toolWait,
    strictParameters, logRequests, logLevel, logFormat, metricsOnLoopback, maxConcurrentTurns, maxTurnsPerKey,
    maxQueue, sessionQueue, turnTimeout, turnIdleTimeout, providerWait, engineProcesses, engineMaxMemory,
    engineMaxTurns, onDisconnect, retryGrace, drainTimeout, corsOrigins, allowedHosts,
  ]

  /// Names that were settings once. A file or an environment that still has one works as before, and its owner is told.
  static let retired: Set<String> = [
    "CODEX_CLIENT_TOOLS", "CODEX_CONTENT_LIMIT", "CODEX_ENGINE_MAX_AGE", "CODEX_IMAGE_TIMEOUT",
    "CODEX_MAX_CONNECTIONS",
    "CODEX_MAX_CONNECTIONS_PER_ADDRESS", "CODEX_QUEUE_NOTICE", "CODEX_SSE_KEEPALIVE", "CODEX_START_WAIT",
    "CODEX_WARM_THREADS",
  ]
}
