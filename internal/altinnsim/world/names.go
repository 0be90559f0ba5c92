package world

// Synthetic names are an adjective and a noun, as in the test population that the public sector shares.

func personName(h uint64) string {
	adjectives := [...]string{
		"KRASS", "SLAPP", "FORNUFTIG", "RASK", "STILLE", "LUNKEN", "MODIG", "BLID", "TRÅ", "SINDIG", "GRØNN",
		"ÆRLIG", "ØKONOMISK", "VARM", "LYSTIG", "KRY", "SPENSTIG", "DOVEN", "KLAR", "SEIG", "HISSIG", "MILD", "TAPPER", "SLU",
	}
	nouns := [...]string{
		"KOMPOSISJON", "TIGER", "BEDRIFT", "LUNSJ", "SYKKEL", "FJELLTOPP", "ELV", "KANTATE", "LAMPE", "BJØRK", "ØRN",
		"ÅKER", "TREKKSPILL", "KANEL", "BRYGGE", "SAFRAN", "VEIV", "TERNING", "HATT", "GAFFEL", "SOMMER", "HEST", "SKIFER", "FERJE",
	}
	return adjectives[h%uint64(len(adjectives))] + " " + nouns[(h>>16)%uint64(len(nouns))]
}

func companyName(h uint64) string {
	forms := [...]string{"AS", "ANS", "DA", "SA", "ENK", "ASA"}
	return personName(h) + " " + forms[(h>>32)%uint64(len(forms))]
}
