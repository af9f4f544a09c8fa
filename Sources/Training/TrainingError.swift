/// Why a network cannot be trained or tested on some images.
public struct TrainingError: Error, CustomStringConvertible, Sendable {
    /// The kinds of failure.
    public enum Code: Sendable, Equatable {
        /// Images and labels do not fit each other, or there are none.
        case malformedSet
        /// A class has no image.
        case emptyClass
        /// The images are not of the size or kind that is needed.
        case unfitImages
        /// A trained network is not what it is taken for.
        case unfitNetwork
        /// Two sets do not have the same classes.
        case differingClasses
        /// An option has a value that makes no sense.
        case invalidOption
        /// The loss is no number any more.
        case diverged
    }

    /// The kind of failure.
    public let code: Code
    /// What is wrong, and what to do about it.
    public let message: String

    /// Makes an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}
