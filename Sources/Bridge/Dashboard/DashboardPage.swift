// The page for people: its pieces joined to one document, and the header fields that keep it to itself.

/// The page.
struct DashboardPage: Sendable {
  /// Stands in the page where the nonce goes.
  private static let nonceMark = "@NONCE@"
  private static let styleMark = "@STYLE@"
  private static let scriptMark = "@SCRIPT@"

  /// The page, cut at the places for the nonce.
  private let parts: [String]

  init() {
    let page = Self.text(PackageResources.page_html)
      .replacing(Self.styleMark, with: Self.joined(Self.styles), maxReplacements: 1)
      .replacing(Self.scriptMark, with: Self.joined(Self.scripts), maxReplacements: 1)
    parts = page.split(separator: Self.nonceMark, omittingEmptySubsequences: false).map(String.init)
  }

  private static var styles: [[UInt8]] {
    [PackageResources.style_css, PackageResources.chat_css]
  }

  /// One plain script in this order: what all use first, then the views, at last what begins.
  private static var scripts: [[UInt8]] {
    [
      PackageResources.core_js, PackageResources.language_js, PackageResources.session_js,
      PackageResources.frame_js, PackageResources.approvals_js, PackageResources.start_js,
      PackageResources.markdown_inline_js, PackageResources.markdown_blocks_js, PackageResources.markdown_view_js,
      PackageResources.chat_messages_js, PackageResources.chat_history_js, PackageResources.chat_stream_js,
      PackageResources.chat_turns_js, PackageResources.chat_controls_js, PackageResources.chat_drafts_js,
      PackageResources.chat_log_js,
      PackageResources.chat_steps_js, PackageResources.chat_answers_js, PackageResources.chat_composer_js,
      PackageResources.chat_sessions_js, PackageResources.chat_notices_js, PackageResources.chat_js,
      PackageResources.activity_js, PackageResources.sessions_js, PackageResources.connect_js,
      PackageResources.bridge_js, PackageResources.main_js,
    ]
  }

  private static func joined(_ pieces: [[UInt8]]) -> String { pieces.map(text).joined(separator: "\n") }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// The page with a nonce of its own: only the style and the script that came with it take effect
  /// (Content Security Policy Level 3).
  @LoopActor var response: Response {
    let nonce = RandomID.make(length: 32)
    return Response(fields: Self.fields(nonce: nonce), body: Array(parts.joined(separator: nonce).utf8))
  }

  private static func fields(nonce: String) -> ResponseFields {
    let policy = [
      "default-src 'none'",
      "script-src 'nonce-\(nonce)'",
      "style-src 'nonce-\(nonce)'",
      "img-src data:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      // The page never makes markup out of text; browsers that know this rule enforce it.
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]
    return [
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": policy.joined(separator: "; "),
      "X-Content-Type-Options": "nosniff",
      "X-Frame-Options": "DENY",
      "Referrer-Policy": "no-referrer",
      "Cross-Origin-Resource-Policy": "same-origin",
      "Cache-Control": "no-store",
    ]
  }
}
