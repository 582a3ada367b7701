/// Objects that were used and wait to be used again, the last one first: so that a request allocates none.
///
/// Unlike an array's, their memory is never asked whether it is shared, and an object changes hands without being counted.
public struct Spares<Element: AnyObject>: ~Copyable {
    /// Objects that are kept at the most.
    public let limit: Int
    @usableFromInline let places: UnsafeMutablePointer<Unmanaged<Element>>
    @usableFromInline var kept = 0

    @inlinable public init(limit: Int) {
        precondition(limit > 0)
        self.limit = limit
        places = .allocate(capacity: limit)
    }

    deinit {
        for index in 0..<kept { places[index].release() }
        places.deallocate()
    }

    @inlinable public var isFull: Bool { kept == limit }

    @inlinable public mutating func take() -> Element? {
        guard kept > 0 else { return nil }
        kept &-= 1
        return places[kept].takeRetainedValue()
    }

    /// False: there are as many as are kept, and this one goes.
    @inlinable @discardableResult public mutating func put(_ element: consuming Element) -> Bool {
        guard kept < limit else { return false }
        places[kept] = Unmanaged.passRetained(element)
        kept &+= 1
        return true
    }
}
