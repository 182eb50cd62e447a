// Pickled values as JSON: for metadata that is kept, and for `inspect`.
#pragma once

#include <functional>
#include <optional>

#include "files/pickle.h"
#include "h5bridge/json.h"

namespace h5bridge::pickle {

/// Asked first about every object: its JSON, or nullopt for the common form.
using ObjectToJson = std::function<std::optional<Json>(const Value&)>;

/// Dicts with distinct text keys become objects, lists and tuples arrays, NumPy scalars numbers. What JSON has no word
/// for is an object with a `$` key:
///   {"$class": "argparse.Namespace", "args": [...], "state": {...}, "items": [...], "entries": {...}}  an object
///   {"$dict": [[key, value], ...]}  {"$set": [...]}  {"$bytes": COUNT}  {"$int": "DIGITS"}
///   {"$global": "module.name"}  {"$persistent": id}
/// Throws MalformedFile for nesting (or a cycle) of more than 100 levels, for more than a million values, which a small
/// pickle of shared references can stand for, and where the JSON and its text would take more than `spare` bytes of
/// memory; what it takes is taken from there.
Json to_json(const Value& value, const ObjectToJson& object_to_json, std::size_t& spare);

}  // namespace h5bridge::pickle
