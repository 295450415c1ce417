// The page's texts: one table for English and Chinese, and how a text is taken from it.

// A row is `name: [English, Chinese]`. `{name}` in a text is replaced by a value: numbers in the language's form,
// everything else as it is. A text with a count is `{ one, other }`; the form is chosen by the value `count`.
const texts = {
  // ---- the frame
  "page.skip": ["Skip to the content", "跳到正文"],
  "page.rail": ["Pages", "页面"],
  "page.language": ["中文", "English"],
  "page.languageLabel": ["中文: switch to Chinese", "English：切换到英文"],
  "page.signOut": ["Sign out", "退出登录"],
  "page.retry": ["Try now", "立即重试"],
  "nav.start": ["Start", "开始"],
  "nav.chat": ["Chat", "对话"],
  "nav.activity": ["Activity", "活动"],
  "nav.approvals": ["Approvals", "审批"],
  "nav.sessions": ["Sessions", "会话"],
  "nav.connect": ["Connect", "接入"],
  "nav.bridge": ["Bridge", "状态"],
  "list.comma": [", ", "，"],
  "copy.do": ["Copy", "复制"],
  "copy.label": ["Copy {name}", "复制 {name}"],
  "copy.done": ["Copied", "已复制"],
  "copy.byHand": ["Press Ctrl+C", "请按 Ctrl+C"],
  "copy.byHandLong": ["Selected. Copy it with the keyboard.", "已选中，请用键盘复制。"],
  "problem.status": ["The bridge answered with status {status}.", "服务返回了状态码 {status}。"],
  "problem.unreachable": ["The bridge cannot be reached.", "无法连接到服务。"],
  "offline.lost": ["The connection to the bridge was lost.", "与服务的连接已断开。"],
  "offline.text": ["{reason} What you see may be out of date. Trying again…", "{reason}当前显示的内容可能已过时，正在重试……"],
  "offline.back": ["Connected again.", "已重新连接。"],

  // ---- the key
  "gate.key": ["API key", "API 密钥"],
  "gate.open": ["Open", "打开"],
  "gate.hint": [
    "One of the keys in CODEX_BRIDGE_API_KEY. It stays in this tab and is gone when you close it.",
    "CODEX_BRIDGE_API_KEY 中的任意一个密钥。它只保存在此标签页中，关闭后即清除。",
  ],
  "gate.wrong": ["This key is not right.", "密钥不正确。"],
  "gate.noLonger": ["The key is no longer accepted.", "密钥已失效。"],

  // ---- how the engine is
  "state.connecting": ["Connecting", "连接中"],
  "state.disconnected": ["Disconnected", "连接已断开"],
  "state.ready": ["Ready", "就绪"],
  "state.readyLong": ["Codex is ready.", "Codex 已就绪。"],
  "state.starting": ["Starting", "启动中"],
  "state.codex_missing": ["Codex not found", "未找到 Codex"],
  "state.codex_not_executable": ["Codex not executable", "Codex 无法执行"],
  "state.codex_too_old": ["Codex too old", "Codex 版本过旧"],
  "state.not_logged_in": ["Not logged in", "未登录"],
  "state.codex_failing": ["Codex does not start", "Codex 无法启动"],
  "state.codex_unresponsive": ["Codex does not answer", "Codex 没有响应"],
  "state.draining": ["Shutting down", "正在关闭"],
  "state.not": ["Not ready", "未就绪"],

  // ---- what Codex may do
  "sandbox.read-only": ["reads files, changes none", "只读，不修改文件"],
  "sandbox.workspace-write": ["changes files in this directory", "可修改此目录中的文件"],
  "sandbox.danger-full-access": ["no sandbox: may do everything you may", "无沙箱：拥有与你相同的全部权限"],
  "sandbox.other": ["sandbox {name}", "沙箱 {name}"],
  "network.yes": ["network for its commands", "命令可访问网络"],
  "network.no": ["no network", "无网络"],
  "webSearch.yes": ["web search", "可搜索网页"],
  "approval.never": ["never asks", "从不询问"],
  "approval.on-request": ["asks before it leaves the sandbox", "离开沙箱前会询问"],
  "approval.untrusted": ["asks before most commands", "执行大多数命令前会询问"],

  // ---- the first day
  "start.title": ["Welcome", "欢迎使用"],
  "start.intro": [
    "Four steps, and Codex answers in your own programs.",
    "四步之后，Codex 就能在你自己的程序中回答问题。",
  ],
  "start.found": ["Codex found", "找到 Codex"],
  "start.foundText": ["Codex {version}", "Codex {version}"],
  "start.finding": ["Looking for Codex…", "正在查找 Codex……"],
  "start.login": ["Log in", "登录"],
  "start.loginText": [
    "Paste this in a terminal on the machine of the bridge. This page goes on by itself.",
    "请在运行本服务的机器的终端中执行以下命令，完成后此页面会自动更新。",
  ],
  "start.loginDone": ["Logged in: {how}", "已登录：{how}"],
  "start.loginCommand": ["the command", "命令"],
  "start.try": ["Try it", "试一试"],
  "start.tryLabel": ["Your first message", "你的第一条消息"],
  "start.tryExample": ["What is in this directory?", "这个目录里有什么？"],
  "start.trySend": ["Send", "发送"],
  "start.connect": ["Connect your client", "接入你的客户端"],
  "start.connectText": [
    "OpenWebUI, Cherry Studio, Python and others: settings to paste.",
    "OpenWebUI、Cherry Studio、Python 等：可直接粘贴的配置。",
  ],
  "start.connectOpen": ["Show the settings", "查看配置"],
  "start.defaultKey": [
    "The key is the default one, which is accepted on this machine only. Set your own before others may reach the bridge.",
    "当前使用默认密钥，仅限本机访问。对外开放之前，请设置你自己的密钥。",
  ],
  "step.done": ["done", "已完成"],
  "step.open": ["to do", "待完成"],

  // ---- activity
  "activity.filter": ["Show", "显示"],
  "filter.all": ["All", "全部"],
  "filter.waiting": ["Waiting", "等待中"],
  "filter.running": ["Running", "运行中"],
  "filter.done": ["Done", "已完成"],
  "filter.failed": ["Failed", "失败"],
  "activity.search": ["Search activity", "搜索活动"],
  "activity.searchHint": ["Session, model, client, request", "会话、模型、客户端、请求"],
  "activity.empty": ["No requests yet. What your clients ask shows here.", "还没有请求。客户端的请求会显示在这里。"],
  "activity.noMatch": ["Nothing matches.", "没有匹配的内容。"],
  "activity.count": ["{shown} of {total}", "{shown} / {total}"],
  "activity.others": [
    { one: "{count} turn of other keys is running", other: "{count} turns of other keys are running" },
    "其他密钥有 {count} 个请求在运行",
  ],
  "activity.runningNow": [{ one: "{count} turn runs now.", other: "{count} turns run now." }, "现在有 {count} 个请求在运行。"],
  "turn.waiting": ["Waiting for its place", "排队等待中"],
  "turn.running": ["Running", "运行中"],
  "turn.thinking": ["Thinking", "思考中"],
  "turn.writing": ["Writing the answer", "正在回答"],
  "turn.working": ["Working", "执行中"],
  "turn.waiting_for_approval": ["Waiting for approval", "等待审批"],
  "turn.reconnecting": ["Reconnecting to the model", "正在重新连接模型"],
  "turn.stopping": ["Stopping", "正在停止"],
  "turn.finishing": ["Finishing", "即将完成"],
  "turn.completed": ["Answered", "已回答"],
  "turn.tool_calls": ["Called the client's tools", "已调用客户端工具"],
  "turn.steered": ["Went on with a newer message", "已转入较新的消息"],
  "turn.stopped": ["Stopped", "已停止"],
  "turn.left": ["Its client went away", "客户端已断开"],
  "turn.failed": ["Failed", "失败"],
  "turn.oneOff": ["one-off", "单次请求"],
  "turn.plain": ["plain chat", "纯对话"],
  "turn.stop": ["Stop", "停止"],
  "turn.stopLabel": ["Stop request {id}", "停止请求 {id}"],
  "turn.stopAnnounce": ["Stopping the turn.", "正在停止。"],
  "turn.details": ["Details of request {id}", "请求 {id} 的详情"],
  "turn.session": ["Session", "会话"],
  "turn.client": ["Client", "客户端"],
  "turn.model": ["Model", "模型"],
  "turn.api": ["API", "API"],
  "turn.started": ["Started", "开始"],
  "turn.firstText": ["First text after", "首字用时"],
  "turn.duration": ["Took", "总用时"],
  "turn.tokens": ["Tokens", "Token 数"],
  "turn.tokensText": [
    "{input} in ({cached} cached), {output} out ({reasoning} reasoning)",
    "输入 {input}（缓存 {cached}），输出 {output}（推理 {reasoning}）",
  ],
  "turn.tokensShort": [{ one: "{count} token", other: "{count} tokens" }, "{count} token"],
  "turn.request": ["Request", "请求"],
  "turn.requestId": ["the request id", "请求 ID"],
  "turn.error": ["Error", "错误"],
  "turn.steps": ["What it did", "执行过程"],
  "turn.moreSteps": [{ one: "and {count} more step", other: "and {count} more steps" }, "另有 {count} 步"],
  "turn.openChat": ["Open {id} in the chat", "在对话中打开 {id}"],
  "api.chat": ["Chat Completions", "Chat Completions"],
  "api.responses": ["Responses", "Responses"],
  "api.completions": ["Completions", "Completions"],

  // ---- approvals
  "bell.none": ["Approvals: none", "审批：无"],
  "bell.count": [{ one: "{count} approval is asked for", other: "{count} approvals are asked for" }, "有 {count} 个审批请求"],
  "approvals.asked": ["Codex asks for approval", "Codex 请求批准"],
  "approvals.more": [{ one: "and {count} more", other: "and {count} more" }, "另有 {count} 个"],
  "approvals.announce": ["Codex asks for approval to {request}: {what}", "Codex 请求批准：{request}：{what}"],
  "approvals.empty": [
    "Codex asks for nothing right now. Its questions show here, and on top of every page.",
    "目前没有审批请求。新的请求会显示在这里以及每个页面的顶部。",
  ],
  "approvals.neverAsks": [
    "With the present settings Codex never asks. CODEX_APPROVAL_POLICY=on-request or untrusted changes that.",
    "按当前设置 Codex 从不询问。可通过 CODEX_APPROVAL_POLICY=on-request 或 untrusted 更改。",
  ],
  "approvals.about": [
    "To accept is to let something out of the sandbox. What nobody answers is declined.",
    "批准意味着允许其离开沙箱。无人答复的请求会被拒绝。",
  ],
  "approvals.notify": ["Notify me", "通知我"],
  "approvals.notifyText": [
    "A notification of this browser when Codex asks while you look elsewhere; this page has to stay open.",
    "当你未查看本页时，若 Codex 提出请求则由浏览器通知；需保持此页面打开。",
  ],
  "approvals.notifyOn": ["Notifications are on.", "通知已开启。"],
  "approvals.notifyOff": ["Turn off", "关闭通知"],
  "approvals.notifyDenied": [
    "The browser does not allow this page to notify; its settings for this address change that.",
    "浏览器不允许此页面发送通知；可在浏览器中针对此地址更改设置。",
  ],
  "approvals.notifyInsecure": [
    "Browsers notify for https addresses and this machine only.",
    "浏览器仅允许 https 地址和本机发送通知。",
  ],
  "approvals.notifyTitle": ["Codex asks for approval", "Codex 请求批准"],
  "approvals.directory": ["Directory", "目录"],
  "approvals.reason": ["Reason given", "给出的理由"],
  "approvals.alsoAllows": ["Allows too", "同时允许"],
  "approvals.environment": ["Environment", "环境"],
  "approvals.withRight": ["With the right to", "附带权限"],
  "approvals.writeBelow": ["to write everything below {value} from then on", "此后写入 {value} 下的所有内容"],
  "approvals.fact": ["Note", "说明"],
  "approvals.askedBy": ["Asked by", "请求者"],
  "approvals.request": ["request {id}", "请求 {id}"],
  "approvals.left": ["declined in", "自动拒绝倒计时"],
  "approvals.decline": ["Decline", "拒绝"],
  "approvals.accept": ["Accept", "批准"],
  "approvals.forSession": ["For the session…", "本会话内……"],
  "approvals.acceptForSession": ["Accept for session", "本会话内批准"],
  "approvals.covers": ["This also accepts, without asking again: {scope}.", "此后不再询问，同时批准：{scope}。"],
  "approvals.declined": ["Declined.", "已拒绝。"],
  "approvals.accepted": ["Accepted.", "已批准。"],
  "approvals.showDiff": ["Show the diff", "查看差异"],
  "approvals.showAll": ["Show all of it", "显示全部"],
  "approvals.moreFiles": [{ one: "and {count} more file", other: "and {count} more files" }, "另有 {count} 个文件"],
  "approvals.hiddenBytes": [
    { one: "{count} more byte is not shown", other: "{count} more bytes are not shown" },
    "另有 {count} 字节未显示",
  ],
  // The bridge puts these into English words; a language of its own has them by these words.
  "ask.run a command outside the sandbox": ["run a command outside the sandbox", "在沙箱之外运行命令"],
  "ask.run a command in the sandbox, and outside of it if the sandbox stops it": [
    "run a command in the sandbox, and outside of it if the sandbox stops it",
    "在沙箱中运行命令；若被沙箱阻止，则在沙箱之外运行",
  ],
  "ask.run a command in the sandbox with more rights": [
    "run a command in the sandbox with more rights", "以更多权限在沙箱中运行命令",
  ],
  "ask.run a command (there is no sandbox)": ["run a command (there is no sandbox)", "运行命令（没有沙箱）"],
  "ask.run a command": ["run a command", "运行命令"],
  "ask.send input to a command that is running": ["send input to a command that is running", "向正在运行的命令发送输入"],
  "ask.write files": ["write files", "写入文件"],
  "ask.change a file": ["change a file", "修改一个文件"],
  "ask.connect to a host on the network": ["connect to a host on the network", "连接网络主机"],
  "ask.have more rights": ["have more rights", "获得更多权限"],
  "ask.changeFiles": [{ one: "change {count} file", other: "change {count} files" }, "修改 {count} 个文件"],
  "ask.tool": ["use a tool of the MCP server “{server}”", "使用 MCP 服务器“{server}”的工具"],
  "ask.answerYes": ["answer yes to the MCP server “{server}”", "向 MCP 服务器“{server}”回答“是”"],
  "scope.the same command in the same directory": ["the same command in the same directory", "同一目录中的相同命令"],
  "scope.every further change of these files": ["every further change of these files", "对这些文件的后续修改"],
  "scope.every further connection to this host and port": [
    "every further connection to this host and port", "对该主机和端口的后续连接",
  ],
  "scope.the same rights until the end of the conversation": [
    "the same rights until the end of the conversation", "对话结束前的相同权限",
  ],
  "scope.this tool with whatever arguments": ["this tool with whatever arguments", "以任意参数使用此工具"],

  // ---- sessions
  "sessions.search": ["Search sessions", "搜索会话"],
  "sessions.searchHint": ["Title or id", "标题或 ID"],
  "sessions.new": ["New chat", "新对话"],
  "sessions.list": ["Sessions, most recently used first", "会话列表，最近使用的在前"],
  "sessions.count": ["{shown} of {total}", "{shown} / {total}"],
  "sessions.total": [{ one: "{count} session", other: "{count} sessions" }, "{count} 个会话"],
  "sessions.matches": [{ one: "{count} match", other: "{count} matches" }, "{count} 个匹配"],
  "sessions.none": [
    "No sessions yet. One begins in the chat, or when a client sends a session id, for example in the header X-Session-Id.",
    "还没有会话。在对话页开始，或由客户端发送会话 ID（例如请求头 X-Session-Id）时会创建。",
  ],
  "sessions.noMatch": ["No title and no id contains this.", "没有标题或 ID 包含此内容。"],
  "sessions.failed": ["The sessions cannot be read: {reason}", "无法读取会话：{reason}"],
  "sessions.more": ["Load more", "加载更多"],
  "sessions.open": ["Open {id} in the chat", "在对话中打开 {id}"],
  "sessions.rename": ["Rename", "重命名"],
  "sessions.renameLabel": ["Rename session {id}", "重命名会话 {id}"],
  "sessions.titleLabel": ["Title of session {id}", "会话 {id} 的标题"],
  "sessions.save": ["Save", "保存"],
  "sessions.cancel": ["Cancel", "取消"],
  "sessions.renamed": ["Renamed.", "已重命名。"],
  "sessions.forget": ["Forget", "忘记"],
  "sessions.forgetLabel": ["Forget session {id}", "忘记会话 {id}"],
  "sessions.forgetTitle": ["Forget this session?", "忘记此会话？"],
  "sessions.forgetNamed": ["Forget “{title}”?", "忘记“{title}”？"],
  "sessions.forgetText": [
    "The next request with this id starts a new conversation. Codex keeps the old thread under its home.",
    "使用此 ID 的下一个请求将开始新的对话。Codex 会在其主目录中保留旧的线程。",
  ],
  "sessions.keep": ["Keep it", "保留"],
  "sessions.forgotten": ["The session is forgotten.", "会话已忘记。"],
  "sessions.turns": [{ one: "{count} turn", other: "{count} turns" }, "{count} 轮"],
  "sessions.running": ["running", "运行中"],
  "sessions.runningWaiting": ["running, {count} waiting", "运行中，{count} 个等待"],
  "sessions.waiting": ["waiting", "等待中"],
  "sessions.parked": ["waits for its client's tools", "等待客户端工具"],

  // ---- connecting a client
  "connect.intro": [
    "Settings to paste, with this bridge's address. Any program that speaks the OpenAI API will do.",
    "以下配置已填入本服务的地址，可直接粘贴。任何支持 OpenAI API 的程序都可以使用。",
  ],
  "connect.model": ["Model", "模型"],
  "connect.noModel": ["not known yet", "尚未获知"],
  "connect.showKey": ["Show my key", "显示我的密钥"],
  "connect.hideKey": ["Hide my key", "隐藏密钥"],
  "connect.clients": ["Clients", "客户端"],
  "connect.seen": ["{name} was seen {ago}", "{name} 最近访问：{ago}"],
  "connect.unseen": [
    "No request of {name} has come since the bridge was started.",
    "服务启动以来尚未收到 {name} 的请求。",
  ],
  "connect.session": ["its conversations go by {source}", "通过 {source} 区分会话"],
  "connect.continued": ["it sends no session id; its history led to the conversation", "未发送会话 ID；已根据历史记录接续对话"],
  "connect.addHeaders": ["it sends no chat id: add the headers below", "未发送会话 ID：请添加下方的请求头"],
  "connect.addSession": ["it sends no session id: each request stands for itself", "未发送会话 ID：每个请求各自独立"],
  "connect.thisPage": ["This page", "本页面"],
  "connect.requests": [{ one: "{count} request", other: "{count} requests" }, "{count} 个请求"],
  "connect.allSeen": ["Seen so far", "已访问的客户端"],
  "connect.sessionNote": [
    "A request carries the whole conversation so far, or names a session: any text of your own in the header X-Session-Id. Codex then continues that conversation.",
    "请求可以携带到目前为止的完整对话，也可以指定会话：在请求头 X-Session-Id 中发送任意自定义文本，Codex 就会接续该对话。",
  ],
  "connect.historyNote": [
    "Nothing else has to be set: the client sends its whole history with each message, and the bridge finds the conversation by it.",
    "无需其他设置：客户端每次都会发送完整的历史记录，服务会据此找到对应的对话。",
  ],
  "connect.openwebui": [
    "In the administrator's settings, Connections: add an OpenAI connection with these values. Headers, under Advanced, may be left out: they give each chat a Codex thread of its own and keep titles and tags out of it.",
    "在管理员设置的“外部连接”中添加一个 OpenAI 连接并填入以下内容。“高级”中的请求头可以省略：它们让每个聊天对应独立的 Codex 线程，并把标题和标签的生成排除在外。",
  ],
  "connect.container": [
    "In a container {host} is the container itself: let the bridge listen on Docker's address too (HOST=127.0.0.1,172.17.0.1, with a key of your own) and use that in the URL.",
    "在容器中 {host} 指的是容器自身：请让服务同时监听 Docker 的地址（HOST=127.0.0.1,172.17.0.1，并设置自己的密钥），然后在 URL 中使用该地址。",
  ],
  "connect.cherry": [
    "Settings, Model Provider, Add: type OpenAI, with these values. Then add the model.",
    "设置 → 模型服务 → 添加：类型选择 OpenAI，填入以下内容，然后添加模型。",
  ],
  "connect.lobechat": [
    "Settings, AI Service Provider, OpenAI: fill in these values and switch on “Use Client-Side Fetching Mode” if LobeChat runs elsewhere and only your browser reaches the bridge. Then add the model.",
    "设置 → AI 服务商 → OpenAI：填入以下内容；若 LobeChat 部署在别处而只有浏览器能访问本服务，请开启“使用客户端请求模式”。然后添加模型。",
  ],
  "connect.cline": [
    "In Cline's settings choose the API provider “OpenAI Compatible” with these values. Cline has tools of its own; Codex plays their model.",
    "在 Cline 设置中将 API Provider 选为 “OpenAI Compatible” 并填入以下内容。Cline 自带工具，由 Codex 充当其模型。",
  ],
  "connect.llm": [
    "The command llm reads further models from this file; its directory is what `llm logs path` says.",
    "命令行工具 llm 从此文件读取附加模型；所在目录见 `llm logs path`。",
  ],
  "connect.codex": [
    "Another machine's Codex can use this one's login: put this in its config.toml and start it with the profile.",
    "另一台机器上的 Codex 可以使用本机的登录：将以下内容写入其 config.toml，并用该配置启动。",
  ],
  "field.url": ["URL", "URL"],
  "field.baseUrl": ["Base URL", "Base URL"],
  "field.apiHost": ["API host", "API 地址"],
  "field.proxyUrl": ["API proxy URL", "API 代理地址"],
  "field.key": ["Key", "密钥"],
  "field.headers": ["Headers", "请求头"],
  "field.modelId": ["Model", "模型"],
  "field.shell": ["Shell", "终端"],

  // ---- the bridge itself
  "bridge.overview": ["Overview", "概览"],
  "bridge.turnsNow": ["Turns of all keys", "所有密钥的请求"],
  "bridge.waiting": ["Waiting", "等待中"],
  "bridge.approvals": ["Approvals", "审批"],
  "bridge.sessions": ["Sessions", "会话"],
  "bridge.connections": ["Connections", "连接数"],
  "bridge.uptime": ["Uptime", "运行时间"],
  "bridge.of": ["of {count}", "上限 {count}"],
  "bridge.lastHour": ["Last hour", "最近一小时"],
  "bridge.turnsPerMinute": ["Turns per minute", "每分钟请求数"],
  "bridge.tokensPerMinute": ["Tokens per minute", "每分钟 token 数"],
  "bridge.minutesAgo": ["{count} min ago", "{count} 分钟前"],
  "bridge.thisMinute": ["this minute", "这一分钟"],
  "bridge.now": ["now", "现在"],
  "bridge.none": ["none", "无"],
  "bridge.sum": ["{total} total · peak {peak}", "共 {total} · 峰值 {peak}"],
  "bridge.sumFailures": ["{total} total · {failures} not completed · peak {peak}", "共 {total} · {failures} 个未完成 · 峰值 {peak}"],
  "bridge.turns": [{ one: "{count} turn", other: "{count} turns" }, "{count} 个请求"],
  "bridge.notCompleted": [", {count} not completed", "，{count} 个未完成"],
  "bridge.tokens": [{ one: "{count} token", other: "{count} tokens" }, "{count} token"],
  "bridge.turnsChart": [
    "Turns per minute in the last hour: {total} in all, {failures} not completed, at most {peak}.",
    "最近一小时每分钟请求数：共 {total}，未完成 {failures}，最高 {peak}。",
  ],
  "bridge.tokensChart": [
    "Tokens per minute in the last hour: {total} in all, at most {peak}.",
    "最近一小时每分钟 token 数：共 {total}，最高 {peak}。",
  ],
  "bridge.engine": ["Engine and login", "引擎与登录"],
  "bridge.version": ["Bridge", "服务版本"],
  "bridge.codex": ["Codex CLI", "Codex CLI"],
  "bridge.login": ["Login", "登录方式"],
  "bridge.plan": ["Plan", "套餐"],
  "bridge.codexMemory": ["Codex memory", "Codex 内存"],
  "bridge.restarts": ["Codex restarts", "Codex 重启次数"],
  "bridge.memory": ["Bridge memory", "服务内存"],
  "bridge.totalTurns": ["Turns since the start", "启动以来的请求"],
  "bridge.listening": ["Listening on", "监听地址"],
  "bridge.work": ["Where it works", "工作位置"],
  "bridge.directory": ["Directory", "目录"],
  "bridge.rights": ["Codex", "Codex"],
  "bridge.keyKind": ["Key", "密钥"],
  "bridge.defaultKey": ["the default, for this machine only", "默认密钥，仅限本机"],
  "bridge.ownKey": ["your own", "自定义密钥"],
  "bridge.keyNumber": ["number {number} of {count}", "第 {number} 个，共 {count} 个"],
  "bridge.limits": ["Plan limits", "套餐限额"],
  "bridge.limitsLater": ["Plan limits show here once Codex is logged in.", "Codex 登录后将在此显示套餐限额。"],
  "bridge.limitsSoon": [
    "Codex has told no plan limits yet; they come with the first turn.",
    "Codex 尚未提供套餐限额；首次请求后即会显示。",
  ],
  "bridge.limitsNone": ["Codex tells no plan limits for this login.", "此登录方式没有套餐限额。"],
  "bridge.used": ["{percent} % used", "已用 {percent}%"],
  "bridge.usedLong": ["{percent} percent used", "已使用百分之 {percent}"],
  "bridge.resets": ["resets in {duration} ({time})", "{duration}后重置（{time}）"],
  "bridge.resetsNow": ["resets now", "即将重置"],
  "limit.any": ["Usage limit", "用量限额"],
  "limit.week": ["Weekly limit", "每周限额"],
  "limit.day": ["Daily limit", "每日限额"],
  "limit.days": ["{count}-day limit", "{count} 天限额"],
  "limit.hours": ["{count}-hour limit", "{count} 小时限额"],
  "limit.minutes": ["{count}-minute limit", "{count} 分钟限额"],
  "login.chatgpt": ["ChatGPT", "ChatGPT"],
  "login.api_key": ["OpenAI API key", "OpenAI API 密钥"],
  "login.amazon_bedrock": ["Amazon Bedrock", "Amazon Bedrock"],
  "login.own_provider": ["Own model provider", "自有模型服务"],
  "login.other": ["Logged in", "已登录"],

  // ---- the chat (chat.js)
  "chat.new": ["New chat", "新对话"],
  "chat.list": ["Conversations", "对话列表"],
  "chat.closeList": ["Close the list", "关闭列表"],
  "chat.none": ["No conversations yet.", "还没有对话。"],
  "chat.all": ["All sessions", "全部会话"],
  "chat.plain": ["plain chat", "纯对话"],
  "chat.plainLong": ["The model alone: no tools, no files", "仅模型本身：无工具、无文件"],
  "chat.hello": ["What shall Codex do?", "想让 Codex 做什么？"],
  "chat.helloText": ["It remembers this conversation, and you can go on with it on any device.", "它会记住这段对话，你可以在任何设备上继续。"],
  "chat.message": ["Message", "消息"],
  "chat.placeholder": ["Message Codex", "给 Codex 发消息"],
  "chat.keys": ["Enter sends, Shift-Enter begins a line", "Enter 发送，Shift-Enter 换行"],
  "chat.send": ["Send", "发送"],
  "chat.stop": ["Stop", "停止"],
  "chat.attach": ["Add images", "添加图片"],
  "chat.images": ["Images to send", "待发送的图片"],
  "chat.image": ["Image", "图片"],
  "chat.removeImage": ["Remove {name}", "移除 {name}"],
  "chat.imageType": ["{name} is no PNG, JPEG, GIF or WebP image.", "{name} 不是 PNG、JPEG、GIF 或 WebP 图片。"],
  "chat.imageSize": ["{name} is too large: the images of a message may have {size} together.", "{name} 过大：一条消息的图片合计不能超过 {size}。"],
  "chat.imageUnreadable": ["{name} cannot be read.", "无法读取 {name}。"],
  "chat.imageCount": ["A message may have {count} images.", "一条消息最多可带 {count} 张图片。"],
  "chat.model": ["Model", "模型"],
  "chat.effort": ["Effort", "推理强度"],
  "chat.defaultModel": ["Default model", "默认模型"],
  "chat.defaultNamed": ["{name} (default)", "{name}（默认）"],
  "chat.defaultEffort": ["Default effort", "默认强度"],
  "effort.none": ["none", "无"],
  "effort.minimal": ["minimal", "最低"],
  "effort.low": ["low", "低"],
  "effort.medium": ["medium", "中"],
  "effort.high": ["high", "高"],
  "effort.xhigh": ["very high", "极高"],
  "chat.you": ["You", "你"],
  "chat.codex": ["Codex", "Codex"],
  "chat.edit": ["Edit", "编辑"],
  "chat.editMessage": ["Edit the message", "编辑消息"],
  "chat.editNote": [
    "What came after is taken back. Files that were changed stay changed.",
    "之后的内容会被撤回，已修改的文件保持不变。",
  ],
  "chat.imagesLost": ["Its images are not here any more and are not sent again.", "其中的图片已不在此处，不会再次发送。"],
  "chat.cancel": ["Cancel", "取消"],
  "chat.sendEdit": ["Send", "发送"],
  "chat.regenerate": ["Answer again", "重新回答"],
  "chat.again": ["Try again", "重试"],
  "chat.waiting": ["Waiting for Codex…", "等待 Codex……"],
  "chat.working": ["Working…", "处理中……"],
  "chat.stopping": ["Stopping…", "正在停止……"],
  "chat.unkept": ["No answer was kept.", "没有保存回答。"],
  "chat.againTitle": ["Answer this again?", "重新回答这个问题？"],
  "chat.againText": [
    {
      one: "{count} later message is removed from the conversation. Files that were changed stay changed.",
      other: "{count} later messages are removed from the conversation. Files that were changed stay changed.",
    },
    "之后的 {count} 条消息会从对话中移除，已修改的文件保持不变。",
  ],
  "chat.forgotten": ["This conversation was forgotten.", "这段对话已被忘记。"],
  "chat.stopped": ["Stopped.", "已停止。"],
  "chat.answered": ["Codex: {text}", "Codex：{text}"],
  "chat.failed": ["The turn failed.", "请求失败。"],
  "chat.broken": ["The connection ended before the answer did.", "回答尚未结束，连接已断开。"],
  "chat.restarted": [
    "Codex could not go on where it was and began again from the messages above.",
    "Codex 无法从原处继续，已根据上面的消息重新开始。",
  ],
  "chat.notTakenBack": [
    "What came after could not be taken back here: Codex still knows it.",
    "之后的内容未能撤回：Codex 仍然记得它。",
  ],
  "chat.thinking": ["Thinking…", "思考中……"],
  "chat.thought": ["Thought for {time}", "思考了 {time}"],
  "chat.thoughtBriefly": ["Thought briefly", "思考片刻"],
  "chat.steps": [{ one: "{count} step", other: "{count} steps" }, "{count} 个步骤"],
  "chat.called": ["Called {name}", "调用了 {name}"],
  "chat.arguments": ["Arguments", "参数"],
  "chat.output": ["Output", "输出"],
  "chat.exit": ["exit {code}", "退出码 {code}"],
  "chat.step.asks": ["waits for you", "等待你的决定"],
  "chat.step.running": ["running", "运行中"],
  "chat.step.done": ["done", "完成"],
  "chat.step.failed": ["failed", "失败"],
  "chat.step.declined": ["declined", "已拒绝"],
  "chat.step.unknown": ["ended", "已结束"],
  "chat.step.accepted": ["accepted", "已批准"],
  "chat.step.expired": ["nobody answered", "无人答复"],
  "chat.asks": ["Codex asks", "Codex 请求批准"],
  "chat.code": ["Code", "代码"],
  "chat.copyCode": ["Copy the code", "复制代码"],
  "chat.table": ["Table", "表格"],
  "chat.taskDone": ["done", "已完成"],
  "chat.taskOpen": ["open", "未完成"],
  "chat.errorFacts": ["the error", "错误信息"],
  "chat.first": ["{time} to the first word", "首字 {time}"],
  "chat.total": ["{time} in all", "共 {time}"],
  "chat.in": ["{count} tokens in", "输入 {count} token"],
  "chat.inCached": ["{count} tokens in, {cached} cached", "输入 {count} token，缓存 {cached}"],
  "chat.out": ["{count} out", "输出 {count}"],
  "chat.jump": ["Jump to the end", "跳到末尾"],
  "chat.running": ["running", "运行中"],
  "chat.loading": ["Loading the conversation…", "正在加载对话……"],
  "chat.missing": ["There is no such conversation for this key.", "此密钥下没有这段对话。"],
  "chat.earlier": [{ one: "Show {count} earlier message", other: "Show {count} earlier messages" }, "显示更早的 {count} 条消息"],
  "chat.elsewhere.running": ["A turn of this conversation is running elsewhere.", "这段对话正在别处运行。"],
  "chat.elsewhere.came": [
    "This conversation was continued elsewhere, so nothing was sent. Read what has come, then send again.",
    "这段对话已在别处继续，因此尚未发送。请先查看新内容，然后再次发送。",
  ],
  "chat.elsewhere.ended": ["This conversation has gone on elsewhere.", "这段对话已在别处继续。"],
  "chat.reload": ["Reload", "重新加载"],
};

const languages = ["en", "zh"];
const languageStorage = "codexbridge-language";
let language = "en";

/** The language that was chosen here before, else the first of the browser's that the table has. */
function preferredLanguage() {
  try {
    const chosen = localStorage.getItem(languageStorage);
    if (languages.includes(chosen)) return chosen;
  } catch { /* Without storage the browser's language decides. */ }
  const known = (navigator.languages || []).map((tag) => tag.toLowerCase().split("-")[0]);
  return known.find((tag) => languages.includes(tag)) || "en";
}

/** The locale for Intl: the browser's own where it is of the page's language, as it knows the person's forms. */
function locale() {
  return (navigator.languages || []).find((tag) => tag.toLowerCase().split("-")[0] === language) || language;
}

/** The text of a row, with `values` put in. A row that is missing shows as its name. */
function t(name, values = {}) {
  const row = texts[name];
  if (!row) return name;
  let text = row[languages.indexOf(language)];
  if (typeof text !== "string") text = text[new Intl.PluralRules(language).select(values.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, key) => {
    const value = values[key];
    return typeof value === "number" ? number(value) : String(value ?? "");
  });
}

const has = (name) => Object.hasOwn(texts, name);
const number = (value, options) => new Intl.NumberFormat(locale(), options).format(value);

/** Puts the texts of the table into elements with `data-t` (text) and `data-t-ATTRIBUTE`. */
function label(root) {
  const labelled = "[data-t], [data-t-aria-label], [data-t-placeholder], [data-t-title]";
  for (const node of [...(root.matches?.(labelled) ? [root] : []), ...root.querySelectorAll(labelled)]) {
    if (node.dataset.t) node.textContent = t(node.dataset.t);
    for (const attribute of ["aria-label", "placeholder", "title"]) {
      const name = node.getAttribute(`data-t-${attribute}`);
      if (name) node.setAttribute(attribute, t(name));
    }
  }
}

function useLanguage(next) {
  language = next;
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  label(document);
}
