// CuDNNLSTM and CuDNNGRU: the layers that Keras 2 had for GPUs, in terms of LSTM and GRU.
#pragma once

#include <string>
#include <vector>

#include "files/keras_h5.h"
#include "h5bridge/json.h"

namespace h5bridge {

bool is_cudnn(const std::string& class_name);

/// The entry as one of LSTM or GRU with the functions that CuDNN has.
Json::Object without_cudnn(const Json::Object& entry);

/// The variables of such a layer, or of a Bidirectional of such, as LSTM and GRU have them (keras 2.2.4,
/// engine/saving.py): kernels transposed in memory, an LSTM's two biases added. Throws MalformedFile for variables of
/// another form.
std::vector<KerasVariable> variables_without_cudnn(const std::vector<KerasVariable>& variables, bool is_lstm);

}  // namespace h5bridge
