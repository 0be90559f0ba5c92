package world

import (
	"strconv"
	"time"
)

// Check digits follow modulus 11 (Dialogporten reference, chapter 11).

func organisationCheck(digits []byte) (byte, bool) {
	return checkDigit(digits, []int{3, 2, 7, 6, 5, 4, 3, 2})
}

func firstPersonCheck(digits []byte) (byte, bool) {
	return checkDigit(digits, []int{3, 7, 6, 1, 8, 9, 4, 5, 2})
}

func secondPersonCheck(digits []byte) (byte, bool) {
	return checkDigit(digits, []int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2})
}

const (
	organisationDigits = 9
	personDigits       = 11
	// syntheticMonth is added to the month of a birth date to mark a person as made up.
	syntheticMonth = 80
)

// checkDigit is the modulus 11 digit of the digits, false when the number cannot be used.
func checkDigit(digits []byte, weights []int) (byte, bool) {
	sum := 0
	for i, weight := range weights {
		sum += weight * int(digits[i]-'0')
	}
	switch rest := sum % 11; rest {
	case 0:
		return '0', true
	case 1:
		return 0, false
	default:
		return byte('0' + 11 - rest), true
	}
}

// organisationNumber is the valid number that begins with the seven digits. The eighth is the smallest that has a check
// digit, which makes the mapping one to one.
func organisationNumber(prefix int) string {
	digits := []byte(strconv.Itoa(prefix) + "00")
	for digits[7] = '0'; digits[7] <= '9'; digits[7]++ {
		if check, ok := organisationCheck(digits); ok {
			digits[8] = check
			break
		}
	}
	return string(digits)
}

// ValidOrganisationNumber says whether the text is nine digits with a correct check digit.
func ValidOrganisationNumber(number string) bool {
	if len(number) != organisationDigits || !onlyDigits(number) {
		return false
	}
	check, ok := organisationCheck([]byte(number))
	return ok && check == number[8]
}

// ValidPersonNumber says whether the text is eleven digits with two correct check digits. The date is not checked.
func ValidPersonNumber(number string) bool {
	if len(number) != personDigits || !onlyDigits(number) {
		return false
	}
	first, ok := firstPersonCheck([]byte(number))
	if !ok || first != number[9] {
		return false
	}
	second, ok := secondPersonCheck([]byte(number))
	return ok && second == number[10]
}

// personNumber is the valid synthetic number of somebody born on the day whose individual number begins with the two
// digits. The third is the smallest that has both check digits.
func personNumber(born time.Time, individual int) (string, bool) {
	digits := make([]byte, 0, personDigits)
	digits = appendTwo(digits, born.Day())
	digits = appendTwo(digits, int(born.Month())+syntheticMonth)
	digits = appendTwo(digits, born.Year()%100)
	digits = appendTwo(digits, individual)
	digits = append(digits, "000"...)
	for digits[8] = '0'; digits[8] <= '9'; digits[8]++ {
		first, ok := firstPersonCheck(digits)
		if !ok {
			continue
		}
		digits[9] = first
		if second, ok := secondPersonCheck(digits); ok {
			digits[10] = second
			return string(digits), true
		}
	}
	return "", false
}

func appendTwo(dst []byte, n int) []byte {
	return append(dst, byte('0'+n/10%10), byte('0'+n%10))
}

func onlyDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
