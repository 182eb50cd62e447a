// Operations of keras.ops as mappings: what the tables of functions are made of.
#pragma once

#include <string>
#include <vector>

#include "facets/keras/mapping.h"

namespace h5bridge {

inline constexpr const char* kNumpy = "keras.src.ops.numpy";
inline constexpr const char* kNN = "keras.src.ops.nn";
inline constexpr const char* kMath = "keras.src.ops.math";
inline constexpr const char* kCore = "keras.src.ops.core";

/// An operation of `module` whose call takes the parameters `call`, in that order. Rows are its configuration, or
/// constants of its call.
KerasMapping operation(std::string type, std::string class_name, std::vector<Correspondence> rows = {},
                       std::vector<std::string> call = {"x"}, std::string module = kNumpy);

/// `mapping`, which only writes: what Keras has by that name is read as another type.
KerasMapping write_only(KerasMapping mapping);

/// `mapping`, which only reads: what is written for its type is another one.
KerasMapping read_only(KerasMapping mapping);

/// `mapping`, whose results have these element types in Keras.
KerasMapping giving(DTypeRules dtypes, KerasMapping mapping);

/// Likewise, where Keras casts the integers that it is given beforehand.
KerasMapping computing_in(DTypeRules dtypes, KerasMapping mapping);

/// `mapping`, whose `lower` keeps integers in PyTorch's type.
KerasMapping keeping_integers(KerasMapping mapping);

/// Throws Unsupported if `config` is that of an operation: layers have more in theirs than their own settings.
void expect_layer(const Json::Object& config);

}  // namespace h5bridge
