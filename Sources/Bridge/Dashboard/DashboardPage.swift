// The dashboard's page: one file in the binary, and the header fields that keep it to itself.

/// The page for people.
struct DashboardPage: Sendable {
  /// Stands in the page where the nonce goes.
  private static let placeholder = "@NONCE@"

  /// The page, cut at the places for the nonce.
  private let parts: [String]

  init() {
    let page = String(decoding: PackageResources.dashboard_html, as: UTF8.self)
    parts = page.split(separator: Self.placeholder, omittingEmptySubsequences: false).map(String.init)
  }

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
