// Which profile a request is for. Pure.

/// Chooses between the agent and the plain chat: by the request's header, else by the base URL its client was given, else
/// by the settings.
struct ProfileChoice: Sendable {
  /// The header field that names a profile.
  static let field = "x-bridge-profile"

  /// The profile of a request that says nothing of it.
  let standard: ProfileKind

  /// `baseURL` is the profile that the request's path names. Throws for a header that names no profile; one that is empty is
  /// none.
  func choice(of fields: HeaderFields, baseURL: ProfileKind?) throws(APIError) -> ProfileKind {
    guard let name = fields[Self.field], !name.isEmpty else { return baseURL ?? standard }
    guard let kind = ProfileKind(rawValue: name.lowercased()) else { throw .unknownProfile(name) }
    return kind
  }
}
