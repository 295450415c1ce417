// Codex's own names of its errors (`codexErrorInfo`), once.

/// The errors that a Codex of the oldest to the newest known version names. Another name is no fault: it is told on.
enum CodexErrorName: String, Sendable, CaseIterable {
  case activeTurnNotSteerable
  case badRequest
  case contextWindowExceeded
  case cyberPolicy
  case flexUnavailable
  case httpConnectionFailed
  case internalServerError
  case misalignmentPolicyViolation
  case other
  case rateLimitExceeded
  case responseStreamConnectionFailed
  case responseStreamDisconnected
  case responseTooManyFailedAttempts
  case sandboxError
  case serverOverloaded
  case sessionBudgetExceeded
  case threadRollbackFailed
  case tooManyDenials
  case unauthorized
  case usageLimitExceeded
}
