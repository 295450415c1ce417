// The people behind an Open WebUI, who share a key: with a secret their sessions are kept apart.

/// Scopes sessions to the users of Open WebUI.
///
/// Without a secret nobody knows whether what a request says of a user is true, so nothing is looked at. With one, the verified
/// user becomes part of the id of every session that a request names, in whatever field.
struct SessionUsers: Sendable {
  private static let tokenField = "x-openwebui-user-jwt"
  /// Where Open WebUI names the user without a secret.
  private static let idField = "x-openwebui-user-id"
  /// Where Open WebUI names the chat. It sends the token or the user's id beside it.
  static let chatField = "x-openwebui-chat-id"

  /// Nil without a secret.
  private let tokens: UserTokens?

  /// Whether Open WebUI itself has sent a request, and not somebody who uses its name for a chat. No right comes from it.
  static func isNamed(in fields: HeaderFields) -> Bool {
    [tokenField, idField].contains { fields.range(of: $0) != nil }
  }

  init(configuration: Configuration) {
    tokens = configuration[Settings.openWebUISecret].map { UserTokens(secret: Array($0.utf8)) }
  }

  /// The verified user of a request; nil if it names none. Throws if it names one and that is not true.
  func user(in fields: HeaderFields) throws(APIError) -> String? {
    guard let tokens, let range = fields.range(of: Self.tokenField), !range.isEmpty else { return nil }
    do throws(UserTokenFault) {
      return try tokens.user(of: fields.bytes.span.extracting(range), now: unixTime())
    } catch {
      throw .invalidUserToken("The token in '\(Self.tokenField)' \(error).")
    }
  }

  /// The id of a session that `field` has named. Throws for a chat of Open WebUI without a user: it would be everybody's.
  func id(_ id: String, namedIn field: String, by user: String?) throws(APIError) -> String {
    if let user { return Self.scoped(id, to: user) }
    guard tokens != nil, field == Self.chatField else { return id }
    throw .invalidUserToken(
      "'\(Self.chatField)' comes without '\(Self.tokenField)'. Give Open WebUI the same secret as "
        + "FORWARD_USER_INFO_HEADER_JWT_SECRET.")
  }

  /// An id that no other user can name: "USER:ID". One that has the user already, as the answer before told it, stays.
  private static func scoped(_ id: String, to user: String) -> String {
    let prefix = user.replacing("%", with: "%25").replacing(":", with: "%3A") + ":"
    return id.utf8.starts(with: prefix.utf8) ? id : prefix + id
  }
}
