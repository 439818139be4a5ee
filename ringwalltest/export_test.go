package ringwalltest

// MatrixFaults is what [Matrix] would fail on.
var MatrixFaults = matrixFaults
