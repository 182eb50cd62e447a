// How pickles spell texts, integers and Python's own containers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "files/pickle.h"

namespace h5bridge::pickle {

/// Whether `text` is UTF-8; surrogates are let pass, as Python's pickle does.
bool is_utf8(std::string_view text);
/// Protocol 0's unicode: Latin-1 with \uXXXX and \UXXXXXXXX escapes, as UTF-8; nullopt if an escape is damaged.
std::optional<std::string> raw_unicode_escape(std::string_view text);
/// Protocol 0's str: a Python 2 literal in quotes; nullopt if quotes or escapes are damaged.
std::optional<std::string> python_literal(std::string_view text);

/// Little-endian two's complement of at most eight bytes.
std::int64_t small_twos_complement(std::span<const std::byte> bytes);
/// The same of any length, in decimal digits.
std::string decimal_digits(std::span<const std::byte> bytes);

/// The value of a call that makes one of Python's own containers (OrderedDict, set, bytes); nullopt for any other call.
std::optional<Content> construct_builtin(const Global& callable, const std::vector<Ref>& arguments);

}  // namespace h5bridge::pickle
