// Why the bridge does not start with the settings it was given.

/// A configuration that cannot be used; one line that names the variable, the value and what is allowed.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  /// The line for the person who starts the bridge.
  package let description: String
}
