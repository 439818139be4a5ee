// Package secret keeps what must not be read: a master key, the data keys that it wraps, and what they seal.
//
// A master key is 32 random bytes in a file (0600) or a setting. It wraps random data keys, one for each [Purpose], which
// lie in the database. So a stolen database opens nothing, and a stolen master key opens nothing without the database.
//
//	master, err := secret.ReadMasterKey("/etc/ringwall/master.key")
//	keys, err := secret.OpenKeyring(ctx, master, "production", store, time.Now)
//
//	sealed := keys.Seal(secret.Passwords, "users/"+id, phc)       // AES-256-GCM
//	phc, err := keys.Open(secret.Passwords, "users/"+id, sealed)  // nowhere else, and for nothing else
//	mac := keys.MAC(secret.Links, []byte(token))                  // HMAC-SHA256: to find a token without storing it
//
// What is sealed for one row, purpose or environment does not open for another. Sealed data name their key, so that a new
// key can be added for a purpose while the old one still opens what it sealed; a MAC names none: [Keyring.CheckMAC] tries all.
//
// A person's own key ([Keyring.NewPersonKey]) makes erasure possible where rows must stay: drop the key, and what it
// sealed is gone, in every backup that was made after.
//
// [Text], [MasterKey] and [Keyring] cannot print, log or encode themselves, also as unexported fields of other types,
// where fmt does not ask a value how it wants to be shown.
//
// # What this does not do
//
// It does not hide how long a sealed text is, nor which rows were sealed at all. An older sealed text put back in its own row opens: who must notice
// that seals a version or time inside. Keys lie in the memory of the process, where a debugger, a core dump or
// swap may show them, and Go cannot promise to wipe them. A person's key that lies in an older backup can open what it
// sealed there. Nonces are random, so one key should seal fewer than 2^32 texts (a hundred in each second, for a year);
// rotate the key of a purpose before that.
package secret
