// The library that links LibTorch, loaded when something of it is first asked for.
#pragma once

namespace h5bridge {

/// A function of it, by its name. Throws SystemFailure if the program was built without LibTorch.
void* torch_function_named(const char* name);

}  // namespace h5bridge
